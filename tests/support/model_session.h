// A tiny PostgreSQL session behind its login: bytes in, bytes out, no time and no input or output
// of its own. It speaks the simple and the extended protocol, with transactions, settings, prepared
// statements, portals, COPY, errors and a statement that sleeps. One message is handled at a time,
// so that a test can use a second one as a shadow that says, message by message, what a client has
// to be answered.
//
// Its SQL: SELECT 'text' · SELECT $1 · SELECT many(n,'text') · SELECT pad(n,'text') · SELECT
// sleep('text') · SELECT fail('text') · SELECT temp() · SELECT pg_catalog.set_config('n','v',false)
// · SHOW n · SET [LOCAL] n = 'v' · RESET ALL|n · DISCARD ALL · DEALLOCATE ALL · CREATE TEMP TABLE n
// · BEGIN · COMMIT · ROLLBACK · COPY 'text' FROM STDIN · COPY n 'text' TO STDOUT · BAD (does not
// parse)
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <weir/base/limits.h>
#include <weir/protocol/postgres.h>

#include "model_settings.h"

namespace weir::model {

using base::Bytes;

class ModelSession {
 public:
  explicit ModelSession(Settings defaults) : settings_(std::move(defaults)) {}

  void receive(Bytes bytes) { in_.append(bytes); }
  // Handles one message. False: none is whole, or the session sleeps or is over.
  bool step();
  std::string take_out() { return std::exchange(out_, {}); }

  bool sleeping() const { return sleeping_.has_value(); }
  void wake(bool cancelled);
  // For a shadow: the next message that wants an answer is answered with this error instead of
  // being run.
  bool refuse(Bytes error_message);
  void skip_unanswered();  // messages that come next and want no answer

  char status() const { return status_; }
  bool over() const { return over_; }  // Terminate, or a broken client
  bool copying_in() const { return copy_in_; }
  bool at_rest() const {
    return status_ == 'I' && in_.empty() && !sleeping_ && !copy_in_ && !skip_;
  }
  const std::string& alarm() const { return alarm_; }  // what no client may ever cause
  ModelSettings& settings() { return settings_; }
  uint64_t handled() const { return handled_; }

 private:
  struct Portal {
    std::string sql;
    std::string parameter;
    size_t rows_sent = 0;
  };
  enum class Ran : uint8_t { Done, Failed, Waits };

  void handle(char type, const std::string& body);
  void on_query(std::string text);
  void go_on_with_batch();
  void on_parse(Bytes body);
  void on_bind(Bytes body);
  void on_describe(Bytes body);
  void on_execute(Bytes body);
  void on_close(Bytes body);
  void on_sync();
  void on_copy(char type, Bytes body);

  // statements (model_sql.h)
  Ran run(const std::string& sql, const std::string& parameter, size_t rows_max, size_t& rows_sent);
  Ran run_block(const std::string& sql);
  Ran run_select(const std::string& sql, const std::string& parameter, size_t rows_max,
                 size_t& sent);
  Ran run_setting(const std::string& sql);
  Ran run_copy(const std::string& sql);
  std::optional<std::vector<std::string>> rows_of(const std::string& sql,
                                                  const std::string& parameter);
  void set_config(const std::string& sql);
  void reset(const std::string& what);

  void begin_work();
  Ran error(const std::string& code, const std::string& text);
  void complete(const std::string& tag) { postgres::append_command_complete(out_, tag); }
  void row_description();
  void row(const std::string& value);
  void ready();
  std::optional<std::string> statement(const std::string& name) const;

  std::string in_, out_, alarm_;
  ModelSettings settings_;
  char status_ = 'I';
  bool implicit_ = false;  // work outside a block has begun
  bool extended_ = false;  // the statement at work came by Execute
  bool skip_ = false;      // up to the next Sync
  bool over_ = false;
  bool copy_in_ = false;
  bool simple_ = false;  // a Query is at work
  std::string copy_tag_;
  size_t copied_ = 0;
  std::optional<std::string> sleeping_;
  std::deque<std::string> batch_;  // statements of a Query that are still to be run
  std::map<std::string, std::string> statements_;
  std::optional<std::string> unnamed_;
  std::map<std::string, Portal> portals_;
  std::set<std::string> temporary_;
  uint64_t handled_ = 0;
};

// ---------------------------------------------------------------- messages

inline bool ModelSession::step() {
  if (sleeping_ || over_) return false;
  auto cut = postgres::cut_message(in_, base::kPieceBytesMax);
  if (!cut) {
    alarm_ = "an impossible message length";
    over_ = true;
    return false;
  }
  if (cut->consumed == 0) return false;
  const char type = cut->type;
  const std::string body(cut->body);
  in_.erase(0, cut->consumed);
  ++handled_;
  handle(type, body);
  return true;
}

inline void ModelSession::handle(char type, const std::string& body) {
  if (type == 'X') {
    over_ = true;
    return;
  }
  if (copy_in_) return on_copy(type, body);
  if (type == 'd' || type == 'c' || type == 'f')
    return;  // "COPY Operations", 55.2.6: a failed COPY's
  if (type == 'S') return on_sync();
  if (skip_ || type == 'H') return;
  if (type != 'Q') extended_ = true;
  switch (type) {
    case 'Q': return on_query(body.substr(0, body.size() - 1));
    case 'P': return on_parse(body);
    case 'B': return on_bind(body);
    case 'D': return on_describe(body);
    case 'E': return on_execute(body);
    case 'C': return on_close(body);
    default: alarm_ = std::string("a message of unknown type ") + type; over_ = true;
  }
}

inline bool ModelSession::refuse(Bytes error_message) {
  if (sleeping_ || copy_in_ || status_ != 'I') return false;
  for (;;) {
    auto cut = postgres::cut_message(in_, base::kPieceBytesMax);
    if (!cut || cut->consumed == 0) return false;
    const char type = cut->type;
    in_.erase(0, cut->consumed);
    ++handled_;
    if (type == 'H' || type == 'd' || type == 'c' || type == 'f') continue;
    if (type == 'S' || type == 'X') return false;
    out_.append(error_message);
    if (type == 'Q')
      ready();
    else
      skip_ = true;
    return true;
  }
}

inline void ModelSession::skip_unanswered() {
  while (!in_.empty() && !copy_in_ &&
         (in_[0] == 'H' || in_[0] == 'd' || in_[0] == 'c' || in_[0] == 'f')) {
    auto cut = postgres::cut_message(in_, base::kPieceBytesMax);
    if (!cut || cut->consumed == 0) return;
    in_.erase(0, cut->consumed);
  }
}

inline void ModelSession::on_query(std::string text) {
  simple_ = true;
  extended_ = false;
  unnamed_.reset();
  portals_.erase("");
  batch_.clear();
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(';', at), text.size());
    if (end > at) batch_.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (batch_.empty()) postgres::MessageBuilder(out_, 'I');
  go_on_with_batch();
}

inline void ModelSession::go_on_with_batch() {
  while (!batch_.empty()) {
    const std::string sql = std::move(batch_.front());
    batch_.pop_front();
    size_t sent = 0;
    const Ran ran = run(sql, "", 0, sent);
    if (ran == Ran::Waits) return;
    if (ran == Ran::Failed) batch_.clear();
  }
  simple_ = false;
  if (implicit_) settings_.commit();
  ready();
}

inline void ModelSession::on_parse(Bytes body) {
  postgres::BodyReader reader(body);
  const std::string name(reader.text());
  const std::string sql(reader.text());
  if (name.empty()) unnamed_.reset();  // as PostgreSQL does, before it reads the text
  if (sql.starts_with("BAD")) {
    error("42601", "syntax error at or near \"" + sql + "\"");
    return;
  }
  if (status_ == 'E' && !sql.starts_with("ROLLBACK") && !sql.starts_with("COMMIT")) {
    error("25P02",
          "current transaction is aborted, commands ignored until end of transaction block");
    return;
  }
  begin_work();
  if (!name.empty() && statements_.contains(name)) {
    error("42P05", "prepared statement \"" + name + "\" already exists");
    return;
  }
  if (name.empty())
    unnamed_ = sql;
  else
    statements_[name] = sql;
  postgres::MessageBuilder(out_, '1');
}

inline std::optional<std::string> ModelSession::statement(const std::string& name) const {
  if (name.empty()) return unnamed_;
  const auto found = statements_.find(name);
  return found == statements_.end() ? std::nullopt : std::optional(found->second);
}

inline void ModelSession::on_bind(Bytes body) {
  postgres::BodyReader reader(body);
  const std::string portal(reader.text());
  const std::string name(reader.text());
  for (uint16_t formats = reader.int16(); formats > 0; --formats) reader.int16();
  std::string parameter;
  if (reader.int16() == 1) parameter = reader.raw(reader.int32());
  const auto sql = statement(name);
  if (!sql) {
    error("26000", name.empty() ? "unnamed prepared statement does not exist"
                                : "prepared statement \"" + name + "\" does not exist");
    return;
  }
  if (status_ == 'E' && !sql->starts_with("ROLLBACK") && !sql->starts_with("COMMIT")) {
    error("25P02",
          "current transaction is aborted, commands ignored until end of transaction block");
    return;
  }
  begin_work();
  portals_[portal] = {*sql, parameter};
  postgres::MessageBuilder(out_, '2');
}

inline void ModelSession::on_describe(Bytes body) {
  const bool of_statement = body[0] == 'S';
  const std::string name(body.substr(1, body.size() - 2));
  std::optional<std::string> sql;
  if (of_statement) {
    sql = statement(name);
    if (!sql) {
      error("26000", name.empty() ? "unnamed prepared statement does not exist"
                                  : "prepared statement \"" + name + "\" does not exist");
      return;
    }
    postgres::MessageBuilder parameters(out_, 't');
    const bool one = sql->find("$1") != std::string::npos;
    parameters.int16(one ? 1 : 0);
    if (one) parameters.int32(25);
  } else if (const auto found = portals_.find(name); found != portals_.end()) {
    sql = found->second.sql;
  } else {
    error("34000", "portal \"" + name + "\" does not exist");
    return;
  }
  if (sql->starts_with("SELECT") || sql->starts_with("SHOW"))
    row_description();
  else
    postgres::MessageBuilder(out_, 'n');
}

inline void ModelSession::on_execute(Bytes body) {
  postgres::BodyReader reader(body);
  const std::string name(reader.text());
  const size_t rows_max = reader.int32();
  const auto found = portals_.find(name);
  if (found == portals_.end()) {
    error("34000", "portal \"" + name + "\" does not exist");
    return;
  }
  Portal& portal = found->second;
  run(portal.sql, portal.parameter, rows_max, portal.rows_sent);
}

inline void ModelSession::on_close(Bytes body) {
  const std::string name(body.substr(1, body.size() - 2));
  if (body[0] == 'P') {
    portals_.erase(name);
  } else if (name.empty()) {
    unnamed_.reset();
  } else {
    statements_.erase(name);
  }
  postgres::MessageBuilder(out_, '3');
}

inline void ModelSession::on_sync() {
  skip_ = false;
  if (implicit_) settings_.commit();
  ready();
}

inline void ModelSession::on_copy(char type, Bytes body) {
  if (type == 'H' || type == 'S') return;
  if (type == 'd') {
    if (!body.starts_with(copy_tag_)) alarm_ = "COPY of " + copy_tag_ + " got " + std::string(body);
    ++copied_;
    if (!body.ends_with("bad\n")) return;
    copy_in_ = false;
    error("22P04", "bad row in " + copy_tag_);
  } else if (type == 'c') {
    copy_in_ = false;
    complete("COPY " + std::to_string(copied_));
  } else if (type == 'f') {
    copy_in_ = false;
    error("XX002", "COPY of " + copy_tag_ + " failed");
  } else {
    alarm_ = "a message that does not belong into COPY";
    over_ = true;
    return;
  }
  if (!simple_) return;
  if (type != 'c') batch_.clear();
  go_on_with_batch();
}

inline void ModelSession::wake(bool cancelled) {
  const std::string text = *sleeping_;
  sleeping_.reset();
  if (cancelled) {
    error("57014", "canceling statement due to user request");
  } else {
    row(text);
    complete("SELECT 1");
  }
  if (!simple_) return;
  if (cancelled) batch_.clear();
  go_on_with_batch();
}

// ---------------------------------------------------------------- pieces of answers

inline void ModelSession::begin_work() {
  if (status_ != 'I' || implicit_) return;
  implicit_ = true;
  settings_.begin();
}

// In a block its settings fall back at once, as the transaction is aborted at once.
inline ModelSession::Ran ModelSession::error(const std::string& code, const std::string& text) {
  postgres::append_error(out_, {.sqlstate = code, .message = text});
  if (status_ != 'E' && (implicit_ || status_ == 'T')) settings_.abort();
  if (status_ == 'T') status_ = 'E';
  if (extended_) skip_ = true;
  return Ran::Failed;
}

inline void ModelSession::row_description() {
  postgres::MessageBuilder(out_, 'T')
      .int16(1)
      .text("v")
      .int32(0)
      .int16(0)
      .int32(25)
      .int16(0xffff)
      .int32(0xffffffff)
      .int16(0);
}

inline void ModelSession::row(const std::string& value) {
  postgres::MessageBuilder(out_, 'D')
      .int16(1)
      .int32(static_cast<uint32_t>(value.size()))
      .raw(value);
}

inline void ModelSession::ready() {
  implicit_ = extended_ = false;
  if (status_ == 'I') portals_.clear();
  settings_.report(out_);
  postgres::append_ready(out_, status_);
}

}  // namespace weir::model

#include "model_sql.h"
