// A hostile server where weir wants TLS. The first byte chooses how much weir wants it and how the
// server goes on, the second how the rest is cut; the rest is what the server says: over the wire,
// or inside TLS after a real handshake. Whole and in pieces it has the same outcome.
#include "postgres_talk.h"
#include "session/conversation.h"
#include "tls_talk.h"

namespace {

using namespace weir::postgres;
using weir::fake::fuzz_check;
using weir::protocol::ChannelBinding;
using weir::protocol::Encryption;

struct Choice {
  explicit Choice(uint8_t byte)
      : is_inside((byte & 1) != 0),
        encryption(
            static_cast<Encryption>(static_cast<int>(Encryption::Offered) + (byte >> 1 & 3) % 3)),
        binding(static_cast<ChannelBinding>((byte >> 3 & 3) % 3)),
        verifies((byte & 32) != 0),
        wrong_name((byte & 64) != 0) {}
  bool is_inside;
  Encryption encryption;
  ChannelBinding binding;
  bool verifies;
  bool wrong_name;
};

struct Outcome {
  bool is_over = false;
  bool is_in = false;
  std::string error;
  std::string heard;  // by the server: in clear, or inside TLS
  bool operator==(const Outcome&) const = default;
};

struct Play {
  explicit Play(const Choice& choice) {
    auto [ours, theirs] = weir::fake::make_fake_streams(loop);
    near = std::move(ours);
    far = std::move(theirs);
    far->set_reader(&heard);
    const auto& contexts = weir::fake::tls_contexts();
    const weir::net::TlsConnect as{choice.verifies ? contexts.client : contexts.blind_client,
                                   choice.wrong_name ? "elsewhere" : "localhost"};
    weir::protocol::LoginTarget target{"app", "pencil", "shop", {}};
    target.tls = choice.encryption;
    target.channel_binding = choice.binding;
    auto login = std::make_unique<PostgresLogin>(
        target, PostgresLogin::Parts{script::store(), script::fixed_bytes});
    talk = std::make_unique<weir::session::Conversation>(loop, *near, std::move(login));
    const auto start = [this, as](auto, weir::net::TlsShaken shaken) -> weir::net::Stream& {
      near = weir::net::start_tls(loop, std::move(near), as, std::move(shaken));
      return *near;
    };
    talk->allow_tls({start, nullptr});
    talk->begin(weir::base::kSecond, [this](const weir::base::Status& how, const std::string&) {
      fuzz_check(!outcome.is_over);
      outcome.is_over = true;
      outcome.is_in = bool(how);
      if (!how) outcome.error = how.error().text;
    });
    loop.settle();
  }

  void say(const std::string& bytes, size_t piece = SIZE_MAX) {
    for (const std::string& each : weir::fake::pieces_of(bytes, piece)) {
      weir::fake::write(*far, each);
      loop.settle();
    }
  }
  void shake_hands() {
    far = weir::net::start_tls(loop, std::move(far),
                               weir::net::TlsAccept{weir::fake::tls_contexts().server, heard.bytes},
                               [](const weir::base::Status&) {});
    heard.bytes.clear();
    far->set_reader(&heard);
    loop.settle();
  }
  // The server goes: whatever it has said, the login is over now.
  Outcome leave() {
    far.reset();
    loop.settle();
    fuzz_check(outcome.is_over && outcome.is_in == outcome.error.empty());
    outcome.heard = heard.bytes;
    return outcome;
  }

  weir::fake::FakeLoop loop;
  weir::fake::Recorder heard;
  std::unique_ptr<weir::net::Stream> near, far;
  std::unique_ptr<weir::session::Conversation> talk;
  Outcome outcome;
};

// A million rounds of hashing for each input would leave nothing of the fuzzing.
bool costs_too_much(const std::string& bytes) {
  const size_t count = bytes.find(",i=");
  return count != std::string::npos &&
         bytes.find_first_not_of("0123456789", count + 3) - count > 3 + 3;
}

// What comes with the S is refused in words of its own, so the S comes alone.
script::Flights flights_of(const Choice& choice, const std::string& bytes) {
  if (choice.encryption == Encryption::Direct || !bytes.starts_with('S')) return {bytes};
  return {"S", bytes.substr(1)};
}

// Without the keys nobody gets in, or hears whom weir wants to be, unless weir would do without.
Outcome raw(const Choice& choice, const script::Flights& flights, size_t piece) {
  constexpr size_t kRequestBytes = 8;
  Play play(choice);
  for (const std::string& flight : flights) play.say(flight, piece);
  Outcome out = play.leave();
  const bool asked = choice.encryption != Encryption::Direct;
  fuzz_check(!asked || out.heard.size() >= kRequestBytes);
  const auto behind = weir::base::Bytes(out.heard).substr(asked ? kRequestBytes : 0);
  const bool in_clear = choice.encryption == Encryption::Offered && flights[0].starts_with('N');
  if (in_clear) return out;
  fuzz_check(!out.is_in);
  out.heard = weir::fake::kinds_of_records(behind);
  if (asked && !flights[0].starts_with('S')) fuzz_check(out.heard.empty());
  return out;
}

Outcome inside(const Choice& choice, const std::string& bytes, size_t piece) {
  Play play(choice);
  if (choice.encryption != Encryption::Direct) {
    play.heard.bytes.clear();
    play.say("S");
  }
  play.shake_hands();
  play.say(bytes, piece);
  const Outcome out = play.leave();
  if (choice.verifies && choice.wrong_name) fuzz_check(!out.is_in && out.heard.empty());
  if (out.is_in) fuzz_check(out.heard.find(std::string("user\0app", 8)) != std::string::npos);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Choice choice(data[0]);
  const size_t piece = data[1] + size_t{1};
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (costs_too_much(bytes)) return 0;
  if (choice.is_inside) {
    const Outcome expected = inside(choice, bytes, SIZE_MAX);
    fuzz_check(expected == inside(choice, bytes, piece));
    if (bytes.size() < 64) fuzz_check(expected == inside(choice, bytes, 1));
    return 0;
  }
  const auto flights = flights_of(choice, bytes);
  const Outcome expected = raw(choice, flights, SIZE_MAX);
  fuzz_check(expected == raw(choice, flights, 1));
  fuzz_check(expected == raw(choice, flights, piece));
  raw(choice, {bytes}, SIZE_MAX);
  return 0;
}
