// A PostgreSQL client for tests of weir's own servers: writes messages to a stream, lets the loop
// turn, and reads what came back as values. Owned by the test, on its thread. `turn` lets time pass
// until something may have come.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/bytes.h>
#include <weir/net/stream.h>
#include <weir/protocol/postgres.h>

namespace weir::fake {

// All that came up to one ReadyForQuery, or so far.
struct PgReply {
  using Row = std::vector<std::optional<std::string>>;
  std::string kinds;  // the types of the messages, in order
  std::vector<std::string> columns;
  std::vector<uint32_t> types;
  std::vector<Row> rows;
  std::vector<std::string> tags;
  std::vector<postgres::ErrorFields> errors;
  std::vector<postgres::ErrorFields> notices;
  std::vector<uint32_t> parameters;
  postgres::SettingMap statuses;
  std::string copied;
  char status = '\0';

  std::string sqlstate() const { return errors.empty() ? "" : errors[0].sqlstate; }
  std::string value() const {
    return rows.empty() || rows[0].empty() ? "(nothing)" : rows[0][0].value_or("(null)");
  }
};

// ---------------------------------------------------------------- messages of a client

inline std::string pg_message(char type, std::string_view body) {
  std::string out;
  postgres::MessageBuilder(out, type).raw(body);
  return out;
}
inline std::string pg_startup(const postgres::SettingMap& parameters) {
  std::string out;
  {
    postgres::MessageBuilder message(out, '\0');
    message.int32(3 << 16);
    for (const auto& [name, value] : parameters) message.text(name).text(value);
    message.int8('\0');
  }
  return out;
}
inline std::string pg_query(std::string_view text) {
  return pg_message('Q', std::string(text) + '\0');
}
inline std::string pg_parse(std::string_view name, std::string_view text,
                            const std::vector<uint32_t>& types = {}) {
  std::string body = std::string(name) + '\0' + std::string(text) + '\0';
  base::append_be16(body, static_cast<uint16_t>(types.size()));
  for (const uint32_t type : types) base::append_be32(body, type);
  return pg_message('P', body);
}
struct PgBind {
  std::string portal;
  std::string statement;
  std::vector<std::optional<std::string>> values;
  std::vector<uint16_t> value_formats;
  std::vector<uint16_t> result_formats;
};
inline std::string pg_bind(const PgBind& bind) {
  std::string body = bind.portal + '\0' + bind.statement + '\0';
  base::append_be16(body, static_cast<uint16_t>(bind.value_formats.size()));
  for (const uint16_t format : bind.value_formats) base::append_be16(body, format);
  base::append_be16(body, static_cast<uint16_t>(bind.values.size()));
  for (const auto& value : bind.values) {
    base::append_be32(body, value ? static_cast<uint32_t>(value->size()) : 0xffffffff);
    if (value) body += *value;
  }
  base::append_be16(body, static_cast<uint16_t>(bind.result_formats.size()));
  for (const uint16_t format : bind.result_formats) base::append_be16(body, format);
  return pg_message('B', body);
}
inline std::string pg_describe(char kind, std::string_view name) {
  return pg_message('D', std::string(1, kind) + std::string(name) + '\0');
}
inline std::string pg_close(char kind, std::string_view name) {
  return pg_message('C', std::string(1, kind) + std::string(name) + '\0');
}
inline std::string pg_execute(std::string_view portal, uint32_t rows = 0) {
  std::string body = std::string(portal) + '\0';
  base::append_be32(body, rows);
  return pg_message('E', body);
}
inline std::string pg_sync() { return pg_message('S', ""); }

// ---------------------------------------------------------------- the client

class PgClient final : public net::StreamReader {
 public:
  PgClient(std::unique_ptr<net::Stream> stream, std::function<void()> turn)
      : stream_(std::move(stream)), turn_(std::move(turn)) {
    stream_->set_reader(this);
  }

  PgReply start(postgres::SettingMap parameters = {}) {
    parameters.try_emplace("user", "tester");
    parameters.try_emplace("database", "db");
    send(pg_startup(parameters));
    return reply();
  }
  void send(std::string_view bytes) {
    unsent_ += bytes;
    push();
  }
  PgReply query(std::string_view text) {
    send(pg_query(text));
    return reply();
  }
  PgReply ask(const std::string& messages) {
    send(messages);
    return reply();
  }
  // Up to the next ReadyForQuery, the end of the stream, or 10000 turns in which nothing comes.
  PgReply reply() {
    PgReply reply;
    for (int idle = 0; idle < 10'000; ++idle) {
      const size_t before = received_.size();
      if (take(reply, 'Z')) return reply;
      if (ended_) return reply;
      turn_();
      push();
      if (received_.size() != before) idle = 0;
    }
    return reply;
  }
  // What has come so far, without waiting for more than `turns` turns.
  PgReply so_far(int turns = 50) {
    for (int i = 0; i < turns && !ended_; ++i) turn_();
    PgReply reply;
    take(reply, '\0');
    return reply;
  }
  // Waits for one message of this type.
  PgReply until(char type) {
    PgReply reply;
    for (int idle = 0; idle < 10'000 && !take(reply, type) && !ended_; ++idle) turn_();
    return reply;
  }
  bool ended() const { return ended_; }
  uint32_t process_id() const { return process_id_; }
  const std::string& secret() const { return secret_; }
  net::Stream& stream() { return *stream_; }
  void hang_up() {
    stream_.reset();
    ended_ = true;
  }
  std::function<void()> then;  // after each delivery

 private:
  void on_bytes(base::Bytes bytes) override {
    received_.append(bytes);
    if (then) then();
  }
  void on_end(const base::Error&) override {
    ended_ = true;
    if (then) then();
  }
  void on_writable() override { push(); }

  void push() {
    if (unsent_.empty() || !stream_) return;
    const iovec piece{unsent_.data(), unsent_.size()};
    const int64_t sent = stream_->try_write({&piece, 1});
    if (sent > 0) unsent_.erase(0, static_cast<size_t>(sent));
    if (!unsent_.empty() && sent >= 0) stream_->want_writable();
  }

  // True when a message of type `last` has been taken.
  bool take(PgReply& reply, char last) {
    size_t at = 0;
    bool found = false;
    while (!found) {
      auto message = postgres::cut_message(std::string_view(received_).substr(at), SIZE_MAX / 2);
      if (!message || message->consumed == 0) break;
      at += message->consumed;
      read(reply, message->type, message->body);
      found = message->type == last;
    }
    received_.erase(0, at);
    return found;
  }

  void read(PgReply& reply, char type, base::Bytes body) {
    reply.kinds.push_back(type);
    postgres::BodyReader in(body);
    switch (type) {
      case 'T': {
        reply.columns.clear();
        reply.types.clear();
        const uint16_t count = in.int16();
        for (uint16_t i = 0; i < count; ++i) {
          reply.columns.emplace_back(in.text());
          in.int32();
          in.int16();
          reply.types.push_back(in.int32());
          in.raw(8);
        }
        break;
      }
      case 'D': {
        PgReply::Row row;
        const uint16_t count = in.int16();
        for (uint16_t i = 0; i < count; ++i) {
          const uint32_t length = in.int32();
          if (length == 0xffffffff)
            row.emplace_back(std::nullopt);
          else
            row.emplace_back(std::string(in.raw(length)));
        }
        reply.rows.push_back(std::move(row));
        break;
      }
      case 't':
        for (uint16_t count = in.int16(); count > 0; --count)
          reply.parameters.push_back(in.int32());
        break;
      case 'C': reply.tags.emplace_back(in.text()); break;
      case 'E': reply.errors.push_back(postgres::read_error(body)); break;
      case 'N': reply.notices.push_back(postgres::read_error(body)); break;
      case 'd': reply.copied += body; break;
      case 'Z': reply.status = static_cast<char>(in.int8()); break;
      case 'K':
        process_id_ = in.int32();
        secret_ = in.rest();
        break;
      case 'S': {
        const std::string name(in.text());
        reply.statuses[name] = in.text();
        break;
      }
      default: break;
    }
  }

  std::unique_ptr<net::Stream> stream_;
  std::function<void()> turn_;
  std::string received_;
  std::string unsent_;
  std::string secret_;
  uint32_t process_id_ = 0;
  bool ended_ = false;
};

}  // namespace weir::fake
