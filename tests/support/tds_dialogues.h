// Dialogues of weir's with a SQL Server, played from given bytes that are cut into given pieces:
// what was said, in words, and how it ended. Shared by the tests of the login and of the talks.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <weir/protocol/protocol.h>

#include "protocol/tds/login7.h"
#include "protocol/tds/prelogin.h"
#include "protocol/tds/request.h"
#include "protocol/tds/tokens.h"
#include "protocol/tds/utf16.h"

namespace weir::tds::play {

using protocol::Dialogue;
using protocol::Step;

// What the server sends before it waits.
using Flights = std::vector<std::string>;
using Split = std::function<std::vector<std::string>(const std::string&)>;

struct Ending {
  Step step = Step::Wait;
  std::vector<std::string> said;  // messages in words, and [tls] and [clear] where that begins
  protocol::Error error;
  std::string left;  // bytes that nobody has used up
};

// Each message of a client, one a line.
inline std::vector<std::string> words_of(Bytes sent, Version version) {
  std::vector<std::string> lines;
  while (!sent.empty()) {
    MessageAssembler message(Side::Client, 1 << 20);
    const auto taken = message.feed(sent);
    if (!taken || !taken.value().whole) return {"no messages"};
    sent.remove_prefix(taken.value().bytes);
    const Bytes payload = message.payload();
    std::string line;
    if (message.type() == PacketType::Prelogin) {
      const auto prelogin = read_prelogin(payload);
      line = "prelogin " + std::to_string(prelogin.value().encryption.value_or(9));
    } else if (message.type() == PacketType::Login7) {
      const auto login = read_login7(payload);
      line = "login " + login.value().user + "/" + login.value().database;
    } else if (message.type() == PacketType::Attention) {
      line = "attention";
    } else {
      const auto head = read_request_head(message.type(), version, payload, true);
      const bool resets = (message.first_status() & kResetConnection) != 0;
      const uint64_t in = head.headers.descriptor.value_or(0);
      line = (resets ? "reset+" : "") + utf8_of(head.body);
      if (in != 0) line += " in " + std::to_string(in);
      if (message.type() != PacketType::Batch) line = "no batch";
    }
    lines.push_back(line);
  }
  return lines;
}

class Player {
 public:
  explicit Player(Dialogue& dialogue, Version version = Version::V74)
      : dialogue_(dialogue), version_(version) {
    call([&](std::string& send) { return dialogue_.start(send); });
  }

  void deliver(const std::string& piece) {
    ending_.left += piece;
    if (!is_over()) feed();
  }
  void end() {
    if (!is_over()) ending_.step = dialogue_.on_end().step;
  }
  bool is_over() const { return ending_.step == Step::Done || ending_.step == Step::Fail; }
  Ending ending() {
    ending_.error = dialogue_.error();
    if (ending_.step == Step::Fail) ending_.left.clear();  // the stream is closed
    return ending_;
  }

  std::string sent;

 private:
  void feed() {
    // A copy of its own length, so that a sanitizer sees who looks outside.
    const std::string in = ending_.left;
    call([&](std::string& send) { return dialogue_.feed(in, send); });
  }

  template <class Call>
  void call(Call call) {
    std::string send;
    const Dialogue::Result result = call(send);
    ending_.left.erase(0, result.consumed);
    ending_.step = result.step;
    sent += send;
    for (std::string& line : words_of(send, version_)) ending_.said.push_back(std::move(line));
    if (result.step == Step::StartTls) {
      ending_.said.emplace_back(dialogue_.envelope() ? "[tls in packets]" : "[tls]");
      dialogue_.secured({});
      feed();
    } else if (result.step == Step::StopTls) {
      ending_.said.emplace_back("[clear]");
    }
  }

  Dialogue& dialogue_;
  Version version_;
  Ending ending_;
};

inline Split whole() {
  return [](const std::string& flight) { return std::vector{flight}; };
}
inline Split pieces_of(size_t size) {
  return [size](const std::string& flight) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < flight.size(); at += size) pieces.push_back(flight.substr(at, size));
    return pieces;
  };
}
inline Split cut_at(size_t place) {
  return [place](const std::string& flight) -> std::vector<std::string> {
    if (place >= flight.size()) return {flight};
    return {flight.substr(0, place), flight.substr(place)};
  };
}

// Whole, byte by byte, and at every place.
inline std::vector<Split> splits_of(const Flights& flights) {
  size_t longest = 0;
  for (const std::string& flight : flights) longest = std::max(longest, flight.size());
  std::vector<Split> splits{whole(), pieces_of(1), pieces_of(7)};
  for (size_t at = 1; at < std::min<size_t>(longest, 2000); ++at) splits.push_back(cut_at(at));
  return splits;
}

// ---------------------------------------------------------------- what servers say

inline std::string reply(const std::string& tokens, uint16_t spid = 0) {
  std::string out;
  append_message(out, {PacketType::Reply, 0, kPacketBytesDefault, spid}, tokens);
  return out;
}
inline std::string prelogin_reply(std::optional<uint8_t> encryption) {
  Prelogin prelogin;
  prelogin.release = {0x10000000, 0};
  prelogin.encryption = encryption;
  prelogin.instance = Bytes();
  prelogin.mars = false;
  std::string body;
  append_prelogin(body, prelogin, true);
  return reply(body);
}
inline std::string done_token(uint16_t status = 0, Version version = Version::V74) {
  std::string out;
  append_done(out, version, {status, 0xfd, 0});
  return out;
}
inline std::string error_token(int32_t number, const std::string& text,
                               Version version = Version::V74) {
  std::string out;
  append_message_token(out, Token::Error, version, {number, 1, 14, text, "S", "", 1});
  return out;
}
inline std::string change(EnvKind kind, const std::string& new_value,
                          const std::string& old_value = {}) {
  std::string out;
  if (is_text(kind))
    append_env_text(out, kind, new_value, old_value);
  else
    append_env_change(out, {kind, new_value, old_value});
  return out;
}
inline std::string descriptor(uint64_t number) {
  std::string out;
  append_le(out, number);
  return out;
}

}  // namespace weir::tds::play
