// A model PostgreSQL server in memory: weir dials it through a Dialler, each connection is a
// ModelSession behind a trusting login, a cancel request wakes who sleeps. Its ends of all streams
// are on one loop of their own. Faults by order of the test. Owned by the test; outlives all that
// dials it.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/session/backend.h>

#include "fake_stream.h"
#include "model_session.h"

namespace weir::model {

enum class DialFate : uint8_t { Accept, Refuse, Hang };
enum class LoginFate : uint8_t { Welcome, WrongPassword, Starting, Hang, Die };

class ModelDatabase;

// One connection, from the server's side.
class ModelServer final : private net::StreamReader {
 public:
  ModelServer(ModelDatabase& database, std::unique_ptr<fake::FakeStream> stream, int32_t pid)
      : pid_(pid),
        database_(database),
        stream_(std::move(stream)),
        session_(ModelSettings::usual()) {
    stream_->set_reader(this);
  }

  int32_t pid() const { return pid_; }
  bool gone() const { return !stream_; }
  bool is_pooled() const { return logged_in_; }  // not a cancel
  bool seen_by_weir() const { return stream_ && stream_->peer_alive(); }
  fake::FakeStream& stream() { return *stream_; }
  ModelSession& session() { return session_; }
  std::string key() const {
    return std::string("K") + std::to_string(1000 + pid_ % 1000).substr(1);
  }

  void wake(bool cancelled) {
    if (!stream_ || !session_.sleeping()) return;
    session_.wake(cancelled);
    work();
  }
  // Ends at once; with last words, if the stream still takes them.
  void die(bool with_words) {
    if (!stream_) return;
    if (with_words && out_.empty() && logged_in_) {
      postgres::append_error(out_,
                             {.severity = "FATAL",
                              .sqlstate = "57P01",
                              .message = "terminating connection due to administrator command"});
      stream_->write(out_);
    }
    stream_.reset();
  }

 private:
  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error&) override { stream_.reset(); }
  void on_writable() override { work(); }
  void on_first_packet();
  void welcome();
  bool flush();
  void work();

  const int32_t pid_;
  ModelDatabase& database_;
  std::unique_ptr<fake::FakeStream> stream_;
  ModelSession session_;
  std::string in_, out_;
  bool logged_in_ = false;
  bool mute_ = false;  // its login hangs
};

class ModelDatabase final : public session::Dialler {
 public:
  explicit ModelDatabase(fake::FakeLoop& outside) : outside_(outside) {}

  std::function<DialFate()> dial_fate = [] { return DialFate::Accept; };
  std::function<LoginFate()> login_fate = [] { return LoginFate::Welcome; };
  std::function<void(ModelServer&)> on_connection = [](ModelServer&) {};

  std::unique_ptr<net::Connecting> dial(net::Loop& loop, int& place,
                                        net::ConnectCallback done) override {
    place = 0;
    return std::make_unique<Dial>(*this, static_cast<fake::FakeLoop&>(loop), dial_fate(),
                                  std::move(done));
  }
  std::string text(int) const override { return "model"; }

  void cancel(int32_t pid, base::Bytes key) {
    ++cancels;
    for (const auto& server : servers_)
      if (server->pid() == pid && server->key() == key) server->wake(true);
  }
  std::vector<ModelServer*> servers() {
    std::vector<ModelServer*> out;
    for (const auto& server : servers_)
      if (!server->gone()) out.push_back(server.get());
    return out;
  }
  // Connections that weir has not closed, cancels aside.
  int open_count() const {
    return static_cast<int>(std::count_if(servers_.begin(), servers_.end(), [](const auto& server) {
      return server->is_pooled() && server->seen_by_weir();
    }));
  }
  void sweep() {
    std::erase_if(servers_, [this](const auto& server) {
      if (server->gone() && alarm.empty()) alarm = server->session().alarm();
      return server->gone();
    });
  }
  int cancels = 0;
  int logins = 0;
  std::string alarm;

 private:
  // An attempt: ends at a step of the dialling loop.
  class Dial final : public net::Connecting, private fake::Steppable {
   public:
    Dial(ModelDatabase& database, fake::FakeLoop& loop, DialFate fate, net::ConnectCallback done)
        : database_(database), loop_(loop), fate_(fate), done_(std::move(done)) {
      loop_.add(this);
    }
    ~Dial() override { loop_.remove(this); }

   private:
    bool is_ready() const override { return done_ != nullptr && fate_ != DialFate::Hang; }
    void step() override {
      const auto done = std::exchange(done_, nullptr);
      if (fate_ == DialFate::Refuse)
        return done(base::Error{base::ErrorKind::Unreachable, "connection refused"});
      done(database_.connect(loop_));
    }
    ModelDatabase& database_;
    fake::FakeLoop& loop_;
    const DialFate fate_;
    net::ConnectCallback done_;
  };

  std::unique_ptr<net::Stream> connect(fake::FakeLoop& loop) {
    auto [near, far] = fake::make_fake_streams(loop, outside_);
    servers_.push_back(std::make_unique<ModelServer>(*this, std::move(far), ++last_pid_));
    on_connection(*servers_.back());
    return std::move(near);
  }

  fake::FakeLoop& outside_;
  std::vector<std::unique_ptr<ModelServer>> servers_;
  int32_t last_pid_ = 100;
};

inline void ModelServer::on_bytes(base::Bytes bytes) {
  if (mute_) return;
  if (logged_in_) {
    session_.receive(bytes);
    return work();
  }
  in_.append(bytes);
  if (in_.size() >= 8 && in_.size() >= base::load_be32(in_.data())) on_first_packet();
}

inline void ModelServer::on_first_packet() {
  constexpr uint32_t kCancelCode = 80877102;
  const size_t length = base::load_be32(in_.data());
  if (base::load_be32(in_.data() + 4) == kCancelCode) {
    database_.cancel(static_cast<int32_t>(base::load_be32(in_.data() + 8)),
                     in_.substr(12, length - 12));
    stream_.reset();
    return;
  }
  logged_in_ = true;
  ++database_.logins;
  const auto refuse = [this](const char* code, const char* text) {
    postgres::append_error(out_, {.severity = "FATAL", .sqlstate = code, .message = text});
    stream_->write(out_);
    stream_.reset();
  };
  switch (database_.login_fate()) {
    case LoginFate::Welcome: return welcome();
    case LoginFate::WrongPassword: return refuse("28P01", "password authentication failed");
    case LoginFate::Starting: return refuse("57P03", "the database system is starting up");
    case LoginFate::Hang: mute_ = true; return;
    case LoginFate::Die: stream_.reset(); return;
  }
}

inline void ModelServer::welcome() {
  postgres::append_authentication(out_, postgres::Authentication::Ok);
  session_.settings().report_all(out_);
  postgres::append_backend_key(out_, static_cast<uint32_t>(pid_), key());
  postgres::append_ready(out_, 'I');
  work();
}

// Like PostgreSQL it handles nothing further while its answer is not taken.
inline void ModelServer::work() {
  while (stream_) {
    if (!flush()) return;
    const bool more = session_.step();
    out_ += session_.take_out();
    if (session_.over() && out_.empty()) return stream_.reset();
    if (!more && out_.empty()) return;
  }
}

// True: all is written.
inline bool ModelServer::flush() {
  if (out_.empty()) return true;
  const int64_t taken = stream_->write(out_);
  if (taken < 0) {
    stream_.reset();
    return false;
  }
  out_.erase(0, static_cast<size_t>(taken));
  if (out_.empty()) return true;
  stream_->want_writable();
  return false;
}

}  // namespace weir::model
