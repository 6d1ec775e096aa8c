// Listens to one side of a conversation, whose bytes come in any pieces, and writes down what it
// says. Shared by the unit tests and the fuzz targets: however the bytes are cut, it is the same.
#pragma once

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "protocol/tds/call_walker.h"
#include "protocol/tds/login7.h"
#include "protocol/tds/prelogin.h"
#include "protocol/tds/token_walker.h"
#include "protocol/tds/utf16.h"

namespace weir::tds::script {

inline void check(bool holds) {
  if (!holds) std::abort();
}

inline std::string hex(Bytes bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

inline std::string text(Bytes utf16) { return "'" + utf8_of(utf16) + "'"; }
inline std::string number(int64_t value) { return std::to_string(value); }

inline std::string show(const CallEvent& event) {
  switch (event.kind) {
    case CallEvent::Kind::Headers:
      return "headers " + number(static_cast<int64_t>(event.headers.descriptor.value_or(0)));
    case CallEvent::Kind::Call:
      return "call " + number(static_cast<int>(event.procedure)) + text(event.name) + " options " +
             number(event.options) + " at " + number(static_cast<int64_t>(event.at));
    case CallEvent::Kind::Parameter: {
      std::string value = is_utf16_text(event.type) ? text(event.value) : hex(event.value);
      if (const auto handle = event.integer()) value = number(*handle);
      return "parameter " + number(event.index) + text(event.name) +
             (event.status ? " out " : " ") + (event.null ? "null" : value) +
             (event.whole ? "" : "...") + " at " + number(static_cast<int64_t>(event.at));
    }
    case CallEvent::Kind::Unknown: return "unknown";
  }
  return {};
}

inline std::string show(const TokenEvent& event) {
  const std::string name = hex({reinterpret_cast<const char*>(&event.token), 1});
  switch (event.kind) {
    case TokenEvent::Kind::Columns: return "columns " + number(event.count);
    case TokenEvent::Kind::Done:
      return "done " + name + " status " + number(event.done.status) + " command " +
             number(event.done.command) + " count " + std::to_string(event.done.count);
    case TokenEvent::Kind::EnvChange: {
      const auto show_value = [&](Bytes value) {
        return is_text(event.change.kind) ? text(value) : hex(value);
      };
      return "env " + number(static_cast<int>(event.change.kind)) + " " +
             show_value(event.change.new_value) + " " + show_value(event.change.old_value);
    }
    case TokenEvent::Kind::Error: return "error " + number(event.number);
    case TokenEvent::Kind::Info: return "info " + number(event.number);
    case TokenEvent::Kind::LoginAck: return "loginack " + hex(event.body);
    case TokenEvent::Kind::FeatureAck:
      return "feature " + number(static_cast<int>(event.feature)) + " " + hex(event.body);
    case TokenEvent::Kind::ReturnStatus: return "status " + number(event.number);
    case TokenEvent::Kind::ReturnValue:
      return "value " + number(event.count) + " " + (event.null ? "null" : hex(event.body)) +
             (event.whole ? "" : "...");
    case TokenEvent::Kind::SessionState:
      return "session state " + number(event.number) + (event.count ? " recoverable" : "");
    case TokenEvent::Kind::FedAuthInfo: return "federated";
    case TokenEvent::Kind::Sspi: return "sspi";
    case TokenEvent::Kind::Unknown: return "unknown " + name;
  }
  return {};
}

// Of all that was said: thousands of splits are compared by it.
class Digest {
 public:
  void add(uint64_t number) { value_ = (value_ ^ number) * 0x100000001b3; }
  void add(Bytes bytes) {
    add(bytes.size());
    for (const char c : bytes) add(static_cast<uint64_t>(static_cast<unsigned char>(c)));
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

inline void add(Digest& digest, const CallEvent& event) {
  for (const uint64_t number :
       {static_cast<uint64_t>(event.kind), event.headers.descriptor.value_or(1),
        static_cast<uint64_t>(event.procedure), uint64_t{event.options}, uint64_t{event.index},
        uint64_t{event.status}, static_cast<uint64_t>(event.type), event.at,
        uint64_t{event.null} << 1 | uint64_t{event.whole}})
    digest.add(number);
  digest.add(event.name);
  digest.add(event.value);
}

inline void add(Digest& digest, const TokenEvent& event) {
  for (const uint64_t number :
       {static_cast<uint64_t>(event.kind), static_cast<uint64_t>(event.token),
        uint64_t{event.done.status}, uint64_t{event.done.command}, event.done.count,
        static_cast<uint64_t>(event.number), uint64_t{event.severity}, uint64_t{event.count},
        static_cast<uint64_t>(event.feature), static_cast<uint64_t>(event.type),
        uint64_t{event.null} << 1 | uint64_t{event.whole}})
    digest.add(number);
  digest.add(event.body);
  digest.add(event.change.new_value);
  digest.add(event.change.old_value);
}

// What both sides have in common: packets. A quiet one keeps no lines.
class Ear {
 public:
  explicit Ear(Side side) : packets(side) {}
  virtual ~Ear() = default;

  void feed(Bytes piece) {
    if (!pending_.empty()) pending_ += piece;
    Bytes rest = pending_.empty() ? piece : Bytes(pending_);
    while (!faulty) {
      const PacketStream::Run run = packets.next(rest);
      if (!run.fault.empty()) say("fault: " + std::string(run.fault));
      faulty = !run.fault.empty();
      if (faulty || run.bytes == 0) {
        check(faulty || run.want > rest.size());
        break;
      }
      check(run.bytes <= rest.size() && run.payload.size() <= run.bytes);
      if (run.begins_message) begin();
      take(run.payload);
      if (run.ends_message) {
        ++messages;
        end();
      }
      rest.remove_prefix(run.bytes);
    }
    pending_ = std::string(rest);
  }

  PacketStream packets;
  std::vector<std::string> said;
  std::map<std::string, int> words;  // how often each first word
  int messages = 0;
  bool faulty = false;
  bool quiet = false;
  Digest digest;

 protected:
  virtual void begin() {}
  virtual void take(Bytes payload) = 0;
  virtual void end() = 0;

  void say(std::string line) {
    digest.add(Bytes(line));
    if (!quiet) keep(std::move(line));
  }
  template <class Event>
  void tell(const Event& event) {
    add(digest, event);
    if (!quiet) keep(show(event));
  }

 private:
  void keep(std::string line) {
    ++words[line.substr(0, line.find(' '))];
    said.push_back(std::move(line));
  }

  std::string pending_;
};

class ClientEar : public Ear {
 public:
  explicit ClientEar(Version start = Version::V74) : Ear(Side::Client), version(start) {}

  Version version;
  int attentions = 0, resets = 0, withdrawn = 0;

 protected:
  static constexpr size_t kBodyBytes = 64 * 1024;

  void begin() override {
    calls_ = CallWalker(version);
    body_.clear();
    is_call_ = packets.head().type == PacketType::Rpc;
    if ((packets.first_status() & (kResetConnection | kResetConnectionSkipTran)) != 0) ++resets;
  }

  void take(Bytes payload) override {
    if (!is_call_) {
      body_ += payload.substr(0, kBodyBytes - body_.size());
      return;
    }
    for (CallEvent event; calls_.next(payload, event);) tell(event);
    check(payload.empty());
  }

  void end() override {
    const bool ignored = (packets.head().status & kIgnore) != 0;
    withdrawn += ignored ? 1 : 0;
    switch (packets.head().type) {
      case PacketType::Prelogin: return end_prelogin();
      case PacketType::Login7: return end_login();
      case PacketType::Rpc: return say(calls_.end_message() ? "calls end" : "calls cut");
      case PacketType::Attention: ++attentions; return say("attention");
      default: break;
    }
    const RequestHead head = read_request_head(packets.head().type, version, body_, true);
    check(head.seen != Seen::More);
    const std::string type = number(static_cast<int>(packets.head().type));
    if (head.seen == Seen::Bad) return say("bad " + type);
    if (packets.head().type == PacketType::Batch)
      return say("batch " + number(static_cast<int64_t>(head.headers.descriptor.value_or(0))) +
                 text(head.body.substr(0, 80)));
    if (packets.head().type == PacketType::TransactionManager)
      return say("transaction " + number(static_cast<int>(head.transaction.action)) +
                 " isolation " + number(head.transaction.isolation) +
                 (head.transaction.begins_again ? " again" : ""));
    say("message " + type + " " + number(static_cast<int64_t>(body_.size())));
  }

 private:
  void end_prelogin() {
    const auto prelogin = read_prelogin(body_);
    if (!prelogin) return say("handshake");
    say("prelogin encryption " + number(prelogin.value().encryption.value_or(9)) + " mars " +
        number(prelogin.value().mars.value_or(false)));
  }

  void end_login() {
    const auto login = read_login7(body_);
    if (!login) return say("login refused: " + login.error().text);
    version = login.value().version;
    say("login " + login.value().user + " " + login.value().password + " " +
        login.value().database);
  }

  CallWalker calls_{Version::V74};
  std::string body_;
  bool is_call_ = false;
};

class ServerEar : public Ear {
 public:
  explicit ServerEar(bool logged_in = false, Version version = Version::V74)
      : Ear(Side::Server), walker_(version), prelogin_(!logged_in) {}

  uint64_t transaction = 0, rows = 0;
  int acknowledged = 0, resets = 0, begun = 0;
  std::vector<TokenWalker::End> ends;
  int late = 0;  // tokens behind a DONE that has said that it is the last one

 protected:
  void take(Bytes payload) override {
    if (prelogin_ || packets.head().type == PacketType::Prelogin) {
      body_ += payload;
      return;
    }
    for (TokenEvent event; walker_.next(payload, event);) note(event);
    check(payload.empty());
  }

  void end() override {
    if (prelogin_ || packets.head().type == PacketType::Prelogin) {
      const auto prelogin = read_prelogin(body_);
      say(prelogin && prelogin_
              ? "prelogin encryption " + number(prelogin.value().encryption.value_or(9))
              : "handshake");
      body_.clear();
      prelogin_ = false;
      return;
    }
    rows += walker_.rows();
    ends.push_back(walker_.end_message());
    final_ = false;
    say("end " + number(static_cast<int>(ends.back())));
  }

 private:
  void note(const TokenEvent& event) {
    late += final_ ? 1 : 0;
    if (event.kind == TokenEvent::Kind::Done) {
      final_ = (event.done.status & kDoneMore) == 0;
      acknowledged += (event.done.status & kDoneAttention) != 0 ? 1 : 0;
    }
    if (event.kind == TokenEvent::Kind::EnvChange) note(event.change);
    tell(event);
  }

  void note(const EnvChange& change) {
    switch (change.kind) {
      case EnvKind::PacketSize:
        if (const auto bytes = packet_bytes_in(change)) packets.set_packet_bytes_max(*bytes);
        break;
      case EnvKind::BeginTransaction:
        transaction = descriptor_in(change.new_value);
        ++begun;
        break;
      case EnvKind::CommitTransaction:
      case EnvKind::RollbackTransaction:
      case EnvKind::TransactionEnded: transaction = 0; break;
      case EnvKind::ResetDone:
        transaction = 0;
        ++resets;
        break;
      default: break;
    }
  }

  TokenWalker walker_;
  std::string body_;
  bool prelogin_;
  bool final_ = false;
};

}  // namespace weir::tds::script
