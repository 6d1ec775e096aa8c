// The SQL of the model session. Included by model_session.h.
#pragma once

#include "model_session.h"

namespace weir::model {

// What stands between the first quotes.
inline std::string quoted(const std::string& sql) {
  const size_t begin = sql.find('\'');
  if (begin == std::string::npos) return {};
  return sql.substr(begin + 1, sql.find('\'', begin + 1) - begin - 1);
}

inline ModelSession::Ran ModelSession::run(const std::string& sql, const std::string& parameter,
                                           size_t rows_max, size_t& rows_sent) {
  const auto is = [&sql](const char* words) { return sql.starts_with(words); };
  if (sql.empty()) {
    postgres::MessageBuilder(out_, 'I');
    return Ran::Done;
  }
  if (is("BAD")) return error("42601", "syntax error at or near \"" + sql + "\"");
  if (is("COMMIT") || is("ROLLBACK")) return run_block(sql);
  if (status_ == 'E')
    return error("25P02",
                 "current transaction is aborted, commands ignored until end of transaction block");
  begin_work();
  if (is("BEGIN")) return run_block(sql);
  if (is("SELECT") || is("SHOW")) return run_select(sql, parameter, rows_max, rows_sent);
  if (is("COPY")) return run_copy(sql);
  if (is("CREATE TEMP TABLE ")) {
    temporary_.insert(sql.substr(18));
    complete("CREATE TABLE");
    return Ran::Done;
  }
  return run_setting(sql);
}

inline ModelSession::Ran ModelSession::run_block(const std::string& sql) {
  if (sql == "BEGIN") {
    if (status_ == 'I') settings_.begin();
    status_ = 'T';
    implicit_ = false;
    complete("BEGIN");
    return Ran::Done;
  }
  const bool commits = sql == "COMMIT" && status_ != 'E';
  if (status_ != 'I') commits ? settings_.commit() : settings_.abort();
  status_ = 'I';
  implicit_ = false;
  portals_.clear();
  complete(commits ? "COMMIT" : "ROLLBACK");
  return Ran::Done;
}

inline std::optional<std::vector<std::string>> ModelSession::rows_of(const std::string& sql,
                                                                     const std::string& parameter) {
  const std::string text = quoted(sql);
  std::vector<std::string> rows;
  if (sql == "SELECT $1") return {{parameter}};
  if (sql.starts_with("SELECT '")) return {{text}};
  if (sql.starts_with("SHOW ")) {
    const std::string name = sql.substr(5);
    return settings_.known(name) ? std::optional<std::vector<std::string>>({settings_.show(name)})
                                 : std::nullopt;
  }
  if (sql == "SELECT temp()") {
    std::string all;
    for (const std::string& name : temporary_) all += name + ",";
    return {{all}};
  }
  if (sql.starts_with("SELECT many(")) {
    const int count = std::stoi(sql.substr(12));
    for (int i = 0; i < count; ++i) rows.push_back(text + "/" + std::to_string(i));
    return rows;
  }
  if (sql.starts_with("SELECT pad("))
    return {{text + std::string(std::stoul(sql.substr(11)), '.')}};
  return std::nullopt;
}

// SELECT pg_catalog.set_config('name','value',false)
inline void ModelSession::set_config(const std::string& sql) {
  const std::string name = quoted(sql);
  const std::string rest = sql.substr(sql.find("',") + 2);
  settings_.set(name, quoted(rest), false);
}

inline ModelSession::Ran ModelSession::run_select(const std::string& sql,
                                                  const std::string& parameter, size_t rows_max,
                                                  size_t& sent) {
  if (sql.starts_with("SELECT fail(")) return error("XX001", quoted(sql));
  if (!extended_) row_description();
  if (sql.starts_with("SELECT sleep(")) {
    sleeping_ = quoted(sql);
    return Ran::Waits;
  }
  if (sql.starts_with("SELECT pg_catalog.set_config(")) {
    set_config(sql);
    row("");
    complete("SELECT 1");
    return Ran::Done;
  }
  const auto rows = rows_of(sql, parameter);
  if (!rows) return error("42883", "no such function: " + sql);
  size_t count = 0;
  while (sent < rows->size() && (rows_max == 0 || count < rows_max)) {
    row((*rows)[sent++]);
    ++count;
  }
  if (rows_max > 0 && count == rows_max)
    postgres::MessageBuilder(out_, 's');
  else
    complete(sql.starts_with("SHOW") ? "SHOW" : "SELECT " + std::to_string(count));
  return Ran::Done;
}

inline void ModelSession::reset(const std::string& what) {
  if (what == "ALL")
    settings_.reset_all();
  else if (what != "ROLE")
    settings_.reset(what);
}

inline ModelSession::Ran ModelSession::run_setting(const std::string& sql) {
  if (sql == "SET SESSION AUTHORIZATION DEFAULT") {
    complete("SET");
  } else if (sql.starts_with("SET ")) {
    const bool local = sql.starts_with("SET LOCAL ");
    const std::string rest = sql.substr(local ? 10 : 4);
    settings_.set(rest.substr(0, rest.find(' ')), quoted(rest), local);
    complete("SET");
  } else if (sql.starts_with("RESET ")) {
    reset(sql.substr(6));
    complete("RESET");
  } else if (sql == "DISCARD ALL") {
    if (status_ != 'I') return error("25001", "DISCARD ALL cannot run inside a transaction block");
    settings_.reset_all();
    statements_.clear();
    unnamed_.reset();
    temporary_.clear();
    complete("DISCARD ALL");
  } else if (sql == "DEALLOCATE ALL") {
    statements_.clear();
    complete("DEALLOCATE ALL");
  } else {
    return error("42601", "syntax error at or near \"" + sql + "\"");
  }
  return Ran::Done;
}

inline ModelSession::Ran ModelSession::run_copy(const std::string& sql) {
  const std::string text = quoted(sql);
  if (sql.ends_with("FROM STDIN")) {
    postgres::MessageBuilder(out_, 'G').int8(0).int16(0);
    copy_in_ = true;
    copy_tag_ = text;
    copied_ = 0;
    return Ran::Waits;
  }
  const int rows = std::stoi(sql.substr(5));
  postgres::MessageBuilder(out_, 'H').int8(0).int16(0);
  for (int i = 0; i < rows; ++i)
    postgres::MessageBuilder(out_, 'd').raw(text + "/" + std::to_string(i) + "\n");
  postgres::MessageBuilder(out_, 'c');
  complete("COPY " + std::to_string(rows));
  return Ran::Done;
}

}  // namespace weir::model
