// A hostile client at a listener that speaks TLS, through a whole session: PROXY header, requests
// for encryption, records, and what is said inside TLS. The first byte chooses the listener and how
// the client goes on, the second how the rest is cut:
//   Raw        the rest is what comes over the wire
//   Inside     a real handshake, asked for or at once; the rest is said inside
//   Tampered   the same with an honest client, and somebody between who changes its bytes
#include <array>

#include <weir/base/log.h>
#include <weir/net/proxy_header.h>

#include "postgres_talk.h"
#include "tls_talk.h"
#include "worlds.h"

namespace {

using weir::base::Bytes;
using weir::fake::fuzz_check;
using weir::net::StreamReader;

const std::string kSslRequest("\0\0\0\x08\x04\xd2\x16\x2f", 8);
const std::string kProxyHeader = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 6432\r\n";
const std::string kStartup("\0\0\0\x12\0\x03\0\0user\0app\0\0", 18);

enum class Way : uint8_t { Raw, Inside, InsideAtOnce, Tampered };

struct Choice {
  explicit Choice(uint8_t byte)
      : way(static_cast<Way>(byte & 3)),
        needs_tls((byte & 4) != 0),
        has_balancer((byte & 8) != 0),
        method(byte >> 4 & 3),
        foreign_alpn((byte & 64) != 0) {}
  Way way;
  bool needs_tls;
  bool has_balancer;
  uint8_t method;
  bool foreign_alpn;  // none, when TLS was not asked for
};

weir::model::WorldOptions options_of(const Choice& choice) {
  using weir::protocol::AuthMethod;
  constexpr std::array kMethods{AuthMethod::Trust, AuthMethod::Plain, AuthMethod::Md5,
                                AuthMethod::ScramSha256};
  weir::model::WorldOptions out;
  out.pool.size = 1;
  out.plan.queue_notice = 0;
  out.door.tls = weir::fake::tls_contexts().server;
  out.door.encryption =
      choice.needs_tls ? weir::protocol::Encryption::Required : weir::protocol::Encryption::Offered;
  out.door.login_bytes_max = 4096;
  out.peer = "10.0.0.9:5000";
  if (choice.has_balancer) out.door.balancers = {*weir::base::read_network("10.0.0.0/8")};
  out.admission.method = kMethods[choice.method];
  out.admission.secret = "pencil";
  out.admission.scram_iterations = 1;
  return out;
}

struct Outcome {
  std::string heard;  // in clear: kinds of messages; of TLS: kinds of records
  int visits = 0, visits_over_tls = 0;
  int64_t logins = 0;
  bool operator==(const Outcome&) const = default;
};

// Kinds of messages up to the end of the login: what comes later depends on how much of the
// requests had come before their errors. The words of an error are part of it.
std::string kinds_of_messages(Bytes bytes) {
  std::string kinds;
  while (!bytes.empty()) {
    auto message = weir::postgres::cut_message(bytes, bytes.size());
    fuzz_check(message && message->consumed > 0);
    kinds.push_back(message->type);
    if (message->type == 'Z') return kinds;
    fuzz_check(kinds.find('E') == std::string::npos || kinds.ends_with('E'));
    if (message->type == 'E') kinds.append(message->body);
    bytes.remove_prefix(message->consumed);
  }
  return kinds;
}

// At most one byte answers a request for encryption, and each kind is asked for once. Behind an S
// there is nothing but TLS.
std::string kinds_in_clear(Bytes bytes) {
  std::string answers;
  while (bytes.starts_with('N') && answers.size() < 2) {
    answers.push_back('N');
    bytes.remove_prefix(1);
  }
  if (bytes.starts_with('S')) {
    fuzz_check(answers.size() < 2);
    return answers + 'S' + weir::fake::kinds_of_records(bytes.substr(1));
  }
  const bool is_tls = !bytes.empty() && bytes[0] >= 0x14 && bytes[0] <= 0x17;
  return answers + (is_tls ? weir::fake::kinds_of_records(bytes) : kinds_of_messages(bytes));
}

bool began_tls(const std::string& heard) {
  const size_t first = heard.find_first_not_of('N');
  return first != std::string::npos && Bytes("S\x14\x15\x16\x17").find(heard[first]) != Bytes::npos;
}

// ---------------------------------------------------------------- the client's side

// Somebody between: each three bytes of the plan change one byte of what the client says.
class Meddler final : public StreamReader {
 public:
  Meddler(weir::net::Stream& from, weir::net::Stream& to, Bytes plan)
      : from_(from), to_(to), plan_(plan) {
    from_.set_reader(this);
  }
  void on_bytes(Bytes bytes) override {
    std::string changed(bytes);
    for (size_t at = 0; at + 3 <= plan_.size(); at += 3) {
      const size_t place = weir::base::load_be16(plan_.data() + at);
      if (place < seen_ || place >= seen_ + changed.size()) continue;
      changed[place - seen_] = static_cast<char>(changed[place - seen_] ^ plan_[at + 2]);
    }
    seen_ += bytes.size();
    weir::fake::write(to_, changed);
  }
  void on_end(const weir::base::Error&) override { to_.shut_write(); }
  void on_writable() override {}

 private:
  weir::net::Stream& from_;
  weir::net::Stream& to_;
  const Bytes plan_;
  size_t seen_ = 0;
};

struct Play {
  explicit Play(const Choice& chosen)
      : choice(chosen), world(options_of(chosen)), stream(world.connect()) {
    stream->set_reader(&heard);
  }

  void say(const std::string& bytes, size_t piece = SIZE_MAX) {
    for (const std::string& each : weir::fake::pieces_of(bytes, piece)) {
      weir::fake::write(*stream, each);
      world.settle();
    }
  }

  // Until the client may begin with TLS.
  void ask_for_tls() {
    if (choice.has_balancer) say(kProxyHeader);
    if (choice.way == Way::InsideAtOnce) return;
    say(kSslRequest);
    fuzz_check(heard.bytes == "S");
    heard.bytes.clear();
  }
  bool shake_hands() {
    const auto& contexts = weir::fake::tls_contexts();
    const bool at_once = choice.way == Way::InsideAtOnce;
    const auto& context = !choice.foreign_alpn ? contexts.client
                          : at_once            ? contexts.silent_client
                                               : contexts.other_client;
    stream = weir::net::start_tls(world.outside, std::move(stream),
                                  weir::net::TlsConnect{context, "localhost"},
                                  [this](const weir::base::Status& how) { shaken = bool(how); });
    stream->set_reader(&heard);
    world.settle();
    return shaken;
  }

  Outcome outcome(const std::string& kinds) {
    return {kinds, world.visits(), world.visits_over_tls(),
            world.sum([](const weir::session::Stats& stats) {
              return stats.logins[weir::session::LoginResult::Ok].value();
            })};
  }
  // Whatever it has done: when it is gone nothing of it is left.
  void leave() {
    stream.reset();
    world.settle();
    fuzz_check(world.admitted() == 0);
    fuzz_check(world.worker(0).clients().empty());
  }

  const Choice choice;
  bool shaken = false;
  weir::fake::Recorder heard;
  weir::model::PooledWorld world;
  std::unique_ptr<weir::net::Stream> stream;
};

// ---------------------------------------------------------------- the ways

// Bytes behind a request for encryption are refused when they come with it, so where it is cut does
// matter there: such requests end a flight.
std::vector<std::string> flights_of(const Choice& choice, const std::string& bytes) {
  std::vector<std::string> flights;
  size_t begin = 0, at = 0;
  if (choice.has_balancer) {
    auto header = weir::net::read_proxy_header(bytes);
    if (header) at = header->size;
  }
  while (Bytes(bytes).substr(at).starts_with(Bytes(kSslRequest).substr(0, 7)) &&
         bytes.size() >= at + 8) {
    at += 8;
    flights.push_back(bytes.substr(begin, at - begin));
    begin = at;
  }
  flights.push_back(bytes.substr(begin));
  return flights;
}

Outcome raw(const Choice& choice, const std::vector<std::string>& flights, size_t piece) {
  Play play(choice);
  for (const std::string& flight : flights) play.say(flight, piece);
  const Outcome out = play.outcome(kinds_in_clear(play.heard.bytes));
  // Nobody here has any keys: with TLS begun, or demanded, nothing is taken for a client's word.
  fuzz_check(out.visits_over_tls == 0);
  if (choice.needs_tls || began_tls(out.heard)) fuzz_check(out.visits == 0 && out.logins == 0);
  play.leave();
  return out;
}

Outcome inside(const Choice& choice, const std::string& bytes, size_t piece) {
  Play play(choice);
  play.ask_for_tls();
  const bool shaken = play.shake_hands();
  if (choice.foreign_alpn && choice.way == Way::Inside) fuzz_check(!shaken);
  play.say(bytes, piece);
  const Outcome out = play.outcome(kinds_of_messages(play.heard.bytes));
  fuzz_check(out.visits == out.visits_over_tls);
  if (choice.foreign_alpn) fuzz_check(out.visits == 0 && out.heard.empty());
  play.leave();
  return out;
}

void tampered(const Choice& choice, const std::string& plan) {
  Play play(choice);
  play.ask_for_tls();
  const std::unique_ptr<weir::net::Stream> wire = std::move(play.stream);
  auto [near, far] = weir::fake::make_fake_streams(play.world.outside);
  Meddler onwards(*far, *wire, plan);
  Meddler back(*wire, *far, {});
  play.stream = std::move(near);
  if (play.shake_hands()) play.say(kStartup);
  const Outcome out = play.outcome("");
  fuzz_check(out.visits == out.visits_over_tls);
  play.stream.reset();
  play.world.settle();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto quiet = weir::base::open_log({.level = weir::base::LogLevel::Off});
  fuzz_check(bool(quiet));
  if (size < 2) return 0;
  const Choice choice(data[0]);
  const size_t piece = data[1] + size_t{1};
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (choice.way == Way::Tampered) {
    tampered(choice, bytes);
  } else if (choice.way == Way::Raw) {
    const auto flights = flights_of(choice, bytes);
    const Outcome expected = raw(choice, flights, SIZE_MAX);
    fuzz_check(expected == raw(choice, flights, 1));
    fuzz_check(expected == raw(choice, flights, piece));
    raw(choice, {bytes}, SIZE_MAX);
  } else {
    const Outcome expected = inside(choice, bytes, SIZE_MAX);
    fuzz_check(expected == inside(choice, bytes, piece));
    if (bytes.size() < 64) fuzz_check(expected == inside(choice, bytes, 1));
  }
  return 0;
}
