#include <ldap.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include <weir/base/log.h>

#include "password_check.h"

namespace weir::app {

namespace {

using config::Ldap;

constexpr int kPatienceSeconds = 10;
constexpr timeval kPatience{kPatienceSeconds, 0};
constexpr size_t kUserBytesMax = 63;  // of a role in PostgreSQL

struct Unbind {
  void operator()(LDAP* connection) const { ldap_unbind_ext_s(connection, nullptr, nullptr); }
};
using Connection = std::unique_ptr<LDAP, Unbind>;

struct FreeMessage {
  void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using Message = std::unique_ptr<LDAPMessage, FreeMessage>;

// Ends the connection when time is over: the library has deadlines, but none in a TLS handshake and
// in the middle of an answer.
class Deadline {
 public:
  Deadline() : thread_([this] { wait(); }) {}
  ~Deadline() {
    {
      const std::lock_guard lock(mutex_);
      is_done_ = true;
    }
    changed_.notify_one();
    thread_.join();
    if (fd_ >= 0) close(fd_);
  }
  // A descriptor of its own: the library may close the other at any time.
  void watch(int fd) {
    const std::lock_guard lock(mutex_);
    if (fd_ >= 0) close(fd_);
    fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (is_over_ && fd_ >= 0) shutdown(fd_, SHUT_RDWR);
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    const auto is_done = [this] { return is_done_; };
    if (changed_.wait_for(lock, std::chrono::seconds(kPatienceSeconds), is_done)) return;
    is_over_ = true;
    if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int fd_ = -1;
  bool is_done_ = false, is_over_ = false;
  std::thread thread_;  // last: it uses the others
};

// What the library calls when it has connected, and when it closes.
ldap_conncb watched_by(Deadline& deadline) {
  return {[](LDAP*, Sockbuf* socket, LDAPURLDesc*, sockaddr*, ldap_conncb* context) {
            int fd = -1;
            if (ber_sockbuf_ctrl(socket, LBER_SB_OPT_GET_FD, &fd) == 1 && fd >= 0)
              static_cast<Deadline*>(context->lc_arg)->watch(fd);
            return 0;
          },
          [](LDAP*, Sockbuf*, ldap_conncb*) {}, &deadline};
}

// RFC 4515, section 3: what has a meaning in a filter, and what is no ASCII, as \XX.
std::string in_filter(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char c : text) {
    if (c > ' ' && c < 127 && c != '*' && c != '(' && c != ')' && c != '\\') {
      out += static_cast<char>(c);
      continue;
    }
    out += '\\';
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out;
}

std::string filter_for(const std::string& filter, const std::string& user) {
  constexpr std::string_view kUser = "{user}";
  const std::string name = in_filter(user);
  std::string out = filter;
  for (size_t at = 0; (at = out.find(kUser, at)) != std::string::npos; at += name.size())
    out.replace(at, kUser.size(), name);
  return out;
}

int scope_of(Ldap::Scope scope) {
  switch (scope) {
    case Ldap::Scope::Base: return LDAP_SCOPE_BASE;
    case Ldap::Scope::OneLevel: return LDAP_SCOPE_ONELEVEL;
    case Ldap::Scope::Subtree: break;
  }
  return LDAP_SCOPE_SUBTREE;
}

bool is_no(int status) {
  return status == LDAP_INVALID_CREDENTIALS || status == LDAP_NO_SUCH_OBJECT ||
         status == LDAP_INAPPROPRIATE_AUTH || status == LDAP_INVALID_DN_SYNTAX;
}

// One question; the connection ends with it.
class Question {
 public:
  Question(const Ldap& ldap, const std::string& user) : ldap_(ldap), user_(user) {}

  bool accepts(const std::string& password) {
    // Who gives a name and no password is let in as nobody by many servers (RFC 4513, 5.1.2).
    if (password.empty() || !is_name()) return false;
    if (!connect()) return false;
    std::string name = ldap_.prefix + user_ + ldap_.suffix;
    if (ldap_.base_dn.empty() ? !fits_in_name() : !find(name)) return false;
    const int status = bind(name, password);
    if (status != LDAP_SUCCESS && !is_no(status)) complain("does not log in the user", status);
    return status == LDAP_SUCCESS;
  }

 private:
  bool connect();
  bool find(std::string& name);
  int bind(const std::string& name, const std::string& password);

  // Directories take spaces at the ends, and several in a row, for what they have without them: one
  // entry is one user here.
  bool is_name() const {
    return !user_.empty() && user_.size() <= kUserBytesMax && user_.front() != ' ' &&
           user_.back() != ' ' && user_.find("  ") == std::string::npos;
  }
  // As it stands between prefix and suffix, it must not end the attribute that it is the value of.
  bool fits_in_name() const { return user_.find_first_of(",+\"\\<>;=#") == std::string::npos; }

  void complain(const char* what, int status) const {
    char* details = nullptr;
    if (connection_) ldap_get_option(connection_.get(), LDAP_OPT_DIAGNOSTIC_MESSAGE, &details);
    const std::string more = details && *details ? std::string(": ") + details : std::string();
    ldap_memfree(details);
    const bool has_answered = status > 0;  // RFC 4511's codes; the library's own are below
    base::log(base::LogLevel::Warn, "LDAP server {} {} \"{}\": {}{}", ldap_.url,
              has_answered ? what : "cannot be asked about", user_, ldap_err2string(status), more);
  }

  const Ldap& ldap_;
  const std::string& user_;
  Deadline deadline_;
  ldap_conncb callbacks_ = watched_by(deadline_);
  Connection connection_;
};

bool Question::connect() {
  // The library reads the machine's ldap.conf at its first use, and not on two threads at once.
  static std::once_flag is_ready;
  std::call_once(is_ready, [] {
    int version = 0;
    ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &version);
  });
  LDAP* made = nullptr;
  int status = ldap_initialize(&made, ldap_.url.c_str());
  connection_.reset(made);
  if (status == LDAP_SUCCESS) {
    const int version = LDAP_VERSION3;
    ldap_set_option(made, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(made, LDAP_OPT_NETWORK_TIMEOUT, &kPatience);
    ldap_set_option(made, LDAP_OPT_TIMEOUT, &kPatience);
    ldap_set_option(made, LDAP_OPT_CONNECT_CB, &callbacks_);
    // Another server than the one that is configured is told no password.
    ldap_set_option(made, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    if (ldap_.start_tls) status = ldap_start_tls_s(made, nullptr, nullptr);
  }
  if (status != LDAP_SUCCESS) complain("does not encrypt what it is asked about", status);
  return status == LDAP_SUCCESS;
}

int Question::bind(const std::string& name, const std::string& password) {
  std::string copy = password;  // the library's type is not const
  berval credentials{copy.size(), copy.data()};
  return ldap_sasl_bind_s(connection_.get(), name.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr,
                          nullptr, nullptr);
}

bool Question::find(std::string& name) {
  int status = bind(ldap_.bind_dn, ldap_.bind_password.reveal());
  if (status != LDAP_SUCCESS) {
    complain("does not let weir look for", status);
    return false;
  }
  std::string no_attributes = LDAP_NO_ATTRS;
  char* attributes[] = {no_attributes.data(), nullptr};
  timeval patience = kPatience;
  LDAPMessage* found = nullptr;
  status = ldap_search_ext_s(connection_.get(), ldap_.base_dn.c_str(), scope_of(ldap_.scope),
                             filter_for(ldap_.filter, user_).c_str(), attributes, 0, nullptr,
                             nullptr, &patience, 2, &found);
  const Message answer(found);
  const int count = found ? ldap_count_entries(connection_.get(), found) : 0;
  if (count > 1) {
    complain("has several entries for", LDAP_SIZELIMIT_EXCEEDED);
    return false;
  }
  if (status != LDAP_SUCCESS) complain("cannot look for", status);
  if (status != LDAP_SUCCESS || count != 1) return false;
  char* dn = ldap_get_dn(connection_.get(), ldap_first_entry(connection_.get(), found));
  name = dn ? dn : "";
  ldap_memfree(dn);
  return !name.empty();
}

}  // namespace

PasswordCheck ldap_check(config::Ldap ldap, std::string user) {
  return [ldap = std::move(ldap), user = std::move(user)](const std::string& password) {
    try {
      return Question(ldap, user).accepts(password);
    } catch (const std::system_error& no_thread) {
      base::log(base::LogLevel::Warn, "LDAP server {} cannot be asked about \"{}\": {}", ldap.url,
                user, no_thread.what());
      return false;
    }
  };
}

}  // namespace weir::app
