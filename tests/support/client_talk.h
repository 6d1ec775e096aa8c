// What a PostgreSQL client writes, for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <weir/protocol/postgres.h>

namespace weir::talk {

inline std::string startup(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string out;
  {
    postgres::MessageBuilder message(out, '\0');
    message.int32(3 << 16);
    for (const auto& [name, value] : parameters) message.text(name).text(value);
    message.int8('\0');
  }
  return out;
}
inline std::string cancel_request(uint32_t pid, base::Bytes key) {
  std::string out;
  { postgres::MessageBuilder(out, '\0').int32(80877102).int32(pid).raw(key); }
  return out;
}
inline std::string message(char type, base::Bytes body = {}) {
  std::string out;
  { postgres::MessageBuilder(out, type).raw(body); }
  return out;
}
inline std::string query(const std::string& sql) { return message('Q', sql + '\0'); }
inline std::string parse(const std::string& name, const std::string& sql) {
  return message('P', name + '\0' + sql + '\0' + std::string(2, '\0'));
}
inline std::string bind(const std::string& portal, const std::string& name) {
  return message('B', portal + '\0' + name + '\0' + std::string(6, '\0'));
}
// With one parameter, as text.
inline std::string bind(const std::string& portal, const std::string& name,
                        const std::string& value) {
  std::string body = portal + '\0' + name + '\0';
  base::append_be16(body, 0);
  base::append_be16(body, 1);
  base::append_be32(body, static_cast<uint32_t>(value.size()));
  body += value;
  base::append_be16(body, 0);
  return message('B', body);
}
inline std::string describe(char what, const std::string& name) {
  return message('D', what + name + '\0');
}
inline std::string close(char what, const std::string& name) {
  return message('C', what + name + '\0');
}
inline std::string execute(const std::string& portal, uint32_t rows_max = 0) {
  std::string body = portal + '\0';
  base::append_be32(body, rows_max);
  return message('E', body);
}
inline std::string sync() { return message('S'); }
inline std::string flush() { return message('H'); }
inline std::string terminate() { return message('X'); }

// The types of the messages in `bytes`, as one string; '?' for a rest.
inline std::string types(base::Bytes bytes) {
  std::string out;
  while (!bytes.empty()) {
    auto cut = postgres::cut_message(bytes, 1 << 30);
    if (!cut || cut->consumed == 0) return out + '?';
    out += cut->type;
    bytes.remove_prefix(cut->consumed);
  }
  return out;
}
// Of the last ErrorResponse in `bytes`.
inline postgres::ErrorFields last_error(base::Bytes bytes) {
  postgres::ErrorFields out;
  while (!bytes.empty()) {
    auto cut = postgres::cut_message(bytes, 1 << 30);
    if (!cut || cut->consumed == 0) return out;
    if (cut->type == 'E') out = postgres::read_error(cut->body);
    bytes.remove_prefix(cut->consumed);
  }
  return out;
}

}  // namespace weir::talk
