// A client and its servers by script: what each says in turn, whole, byte by byte, and cut at
// places from a printed seed. However it is cut, both hear the same.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bytes.h"
#include "tds_dialogues.h"
#include "tds_link_talk.h"
#include "walks.h"

namespace weir::tds::links {

using namespace tds::play;
using hand::columns;
using hand::hex;
using hand::row;
using protocol::Condition;
using protocol::Pin;
using script::LinkTalk;
using Turn = ServerState::Turn;

// One line of a script.
struct Line {
  enum class Who : uint8_t { Client, Server, Nobody };
  Who who = Who::Nobody;
  std::string bytes;
  std::function<void(LinkTalk&)> act = nullptr;
};
using Script = std::vector<Line>;

inline Line says(const std::string& bytes) { return {Line::Who::Client, bytes}; }
inline Line answers(const std::string& bytes) { return {Line::Who::Server, bytes}; }
inline Line then(std::function<void(LinkTalk&)> act) {
  return {Line::Who::Nobody, {}, std::move(act)};
}

inline Line interrupts() {
  return then([](LinkTalk& talk) { talk.interrupt(); });
}

struct Heard {
  std::vector<std::string> server;  // messages in words
  std::vector<std::string> client;
  std::string to_server, to_client;  // as they came
  std::string events;
  int queries = 0, transactions = 0, errors = 0, turns = 0;
};

// ---------------------------------------------------------------- words

inline std::string request_words(MessageAssembler& message, Version version) {
  const Bytes payload = message.payload();
  const auto head = read_request_head(message.type(), version, payload, true);
  const uint64_t in = head.headers.descriptor.value_or(0);
  const std::string where = in == 0 ? "" : " in " + std::to_string(in);
  switch (message.type()) {
    case PacketType::Attention: return "attention";
    case PacketType::Bulk: return "rows " + std::to_string(payload.size());
    case PacketType::TransactionManager:
      return "transaction " + std::to_string(static_cast<int>(head.transaction.action)) + where;
    case PacketType::Rpc: {
      std::string words = "call";
      CallWalker walker(version);
      Bytes rest = payload;
      for (CallEvent event; walker.next(rest, event);) {
        if (event.kind == CallEvent::Kind::Call)
          words += " " + std::to_string(static_cast<int>(event.procedure)) + utf8_of(event.name);
        if (event.kind != CallEvent::Kind::Parameter) continue;
        const auto number = event.integer();
        words += "," + (number                      ? std::to_string(*number)
                        : is_utf16_text(event.type) ? utf8_of(event.value.substr(0, 80))
                                                    : script::hex(event.value));
      }
      return words + where;
    }
    default: return utf8_of(head.body).substr(0, 80) + where;
  }
}

// Whole messages, one behind the other.
inline std::vector<std::string> to_server_words(Bytes sent, Version version) {
  std::vector<std::string> lines;
  while (!sent.empty()) {
    MessageAssembler message(Side::Client, 4 << 20);
    const auto taken = message.feed(sent);
    if (!taken) return lines.emplace_back("no packets"), lines;
    if (!taken.value().whole) return lines.emplace_back("half a message"), lines;
    sent.remove_prefix(taken.value().bytes);
    const bool resets = (message.first_status() & kResetConnection) != 0;
    const bool ignored = message.is_withdrawn();
    lines.push_back((resets ? "reset+" : "") + request_words(message, version) +
                    (ignored ? " (withdrawn)" : ""));
  }
  return lines;
}

inline std::string token_words(Bytes payload, Version version) {
  std::string words;
  TokenWalker walker(version);
  for (TokenEvent event; walker.next(payload, event);) {
    if (!words.empty()) words += "; ";
    if (event.kind == TokenEvent::Kind::Error) {
      const auto message = read_message(event.body, version);
      words += "error " + std::to_string(message->number) + " " + message->text;
    } else if (event.kind == TokenEvent::Kind::Done) {
      words += "done";
      if (event.done.status & kDoneMore) words += " more";
      if (event.done.status & kDoneError) words += " error";
      if (event.done.status & kDoneAttention) words += " attention";
    } else {
      words += script::show(event);
    }
  }
  if (walker.rows() > 0) words += ", rows " + std::to_string(walker.rows());
  return words;
}

inline std::vector<std::string> to_client_words(Bytes sent, Version version) {
  std::vector<std::string> lines;
  while (!sent.empty()) {
    MessageAssembler message(Side::Server, 4 << 20);
    const auto taken = message.feed(sent);
    if (!taken) return lines.emplace_back("no packets"), lines;
    if (!taken.value().whole) return lines.emplace_back("half a message"), lines;
    sent.remove_prefix(taken.value().bytes);
    lines.push_back(token_words(message.payload(), version));
  }
  return lines;
}

// ---------------------------------------------------------------- plays

inline Heard run_once(const std::function<void(LinkTalk&)>& before, const Script& script,
                      const Split& split, LinkTalk& talk) {
  if (before) before(talk);
  for (const Line& line : script) {
    if (line.who == Line::Who::Nobody) {
      line.act(talk);
      continue;
    }
    for (const std::string& piece : split(line.bytes)) {
      if (line.who == Line::Who::Client)
        talk.client_sends(piece);
      else
        talk.server_sends(piece);
    }
  }
  const Version version = talk.client.version;
  return {to_server_words(talk.to_server, version),
          to_client_words(talk.to_client, version),
          talk.to_server,
          talk.to_client,
          talk.events,
          talk.queries,
          talk.transactions,
          talk.errors,
          talk.turns};
}

inline Split at_random(std::mt19937& random) {
  return [&random](const std::string& bytes) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < bytes.size();) {
      const size_t most = std::uniform_int_distribution<size_t>(0, 9)(random) < 5 ? 20 : 5000;
      const size_t size = std::uniform_int_distribution<size_t>(1, most)(random);
      pieces.push_back(bytes.substr(at, size));
      at += size;
    }
    return pieces;
  };
}

inline void expect_equal(const Heard& again, const Heard& first) {
  EXPECT_EQ(again.server, first.server);
  EXPECT_EQ(again.client, first.client);
  EXPECT_TRUE(again.to_server == first.to_server);
  EXPECT_TRUE(again.to_client == first.to_client);
  EXPECT_EQ(again.events, first.events);
  EXPECT_EQ(again.queries, first.queries);
  EXPECT_EQ(again.transactions, first.transactions);
  EXPECT_EQ(again.errors, first.errors);
  EXPECT_EQ(again.turns, first.turns);
}

struct Around {
  std::function<void(LinkTalk&)> before = nullptr;
  std::function<void(LinkTalk&)> after = nullptr;  // looks at how everybody stands
};

inline Heard run(const Script& script, const Around& around = {}) {
  Heard first;
  {
    LinkTalk talk;
    first = run_once(around.before, script, whole(), talk);
    if (around.after) around.after(talk);
  }
  size_t bytes = 0;
  for (const Line& line : script) bytes += line.bytes.size();
  std::vector<Split> splits{pieces_of(7)};
  if (bytes < 20'000) splits.push_back(pieces_of(1));
  const auto seed = static_cast<unsigned>(std::random_device()());
  std::mt19937 random(seed);
  for (int i = 0; i < 20; ++i) splits.push_back(at_random(random));
  for (size_t i = 0; i < splits.size() && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("split " + std::to_string(i) + " of seed " + std::to_string(seed));
    LinkTalk talk;
    expect_equal(run_once(around.before, script, splits[i], talk), first);
    if (around.after) around.after(talk);
  }
  return first;
}

// ---------------------------------------------------------------- what clients say

struct Form {
  uint64_t descriptor = 0;
  uint8_t status = 0;
  Version version = Version::V74;
  size_t packet_bytes = kPacketBytes;
};

inline std::string request(PacketType type, const std::string& body, const Form& form = {}) {
  std::string payload, out;
  if (has_headers(type, form.version)) append_all_headers(payload, form.descriptor);
  append_message(out, {type, form.status, form.packet_bytes, 0}, payload + body);
  return out;
}
inline std::string batch(const std::string& text, const Form& form = {}) {
  return request(PacketType::Batch, utf16_of(text), form);
}
// The bit of its last packet, which has to be its only one.
inline std::string withdrawn(std::string message) {
  message[1] = static_cast<char>(message[1] | kIgnore);
  return message;
}
inline std::string attention() {
  std::string out;
  append_attention(out);
  return out;
}
inline std::string rows(const std::string& body) { return request(PacketType::Bulk, body); }
inline std::string begin_transaction() {
  return request(PacketType::TransactionManager, hex("0500 00 00"));
}
inline std::string commit_transaction(uint64_t descriptor) {
  return request(PacketType::TransactionManager, hex("0700 00 00"), {.descriptor = descriptor});
}

// ---------------------------------------------------------------- what servers answer

inline std::string one_row() {
  return columns({hex("38")}) + row(hex("07000000")) + done_token(kDoneCount);
}
inline std::string good(uint16_t status = 0) { return reply(done_token(status)); }
inline std::string failed(int32_t number = 208) {
  return reply(error_token(number, "No.") + done_token(kDoneError));
}
inline std::string acknowledged() { return reply(done_token(kDoneAttention)); }
inline std::string begun(uint64_t number) {
  return change(EnvKind::BeginTransaction, descriptor(number));
}
inline std::string ended(uint64_t number, EnvKind how = EnvKind::CommitTransaction) {
  return change(how, {}, descriptor(number));
}

constexpr const char* kCountText = "SELECT 1 WHERE @@TRANCOUNT > 0";
inline Around is_before(std::function<void(LinkTalk&)> before) {
  return {std::move(before), nullptr};
}
inline Around is_after(std::function<void(LinkTalk&)> after) { return {nullptr, std::move(after)}; }
inline void unannounced(LinkTalk& talk) { talk.server().announces = false; }
inline void in_session_mode(LinkTalk& talk) {
  talk.client.options.transaction_mode = false;
  talk.ends_holds = false;
}

}  // namespace weir::tds::links
