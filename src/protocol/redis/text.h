// Numbers and lines of RESP: reading them exactly as a server does, and building answers and
// requests. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <weir/base/bytes.h>
#include <weir/base/result.h>

namespace weir::redis {

using base::Bytes;
using base::Error;

// A decimal number without anything around it: no plus, no leading zeros (string2ll() in Redis'
// util.c).
bool read_number(Bytes text, int64_t& value);
// The usual head: a type, up to six digits, a carriage return and whatever is behind that. Its
// length; 0: it is another, or not whole.
inline size_t read_short_head(Bytes in, int64_t& value) {
  constexpr size_t kDigitsMax = 6;
  size_t end = 1;
  value = 0;
  while (end < in.size() && end <= kDigitsMax && in[end] >= '0' && in[end] <= '9')
    value = value * 10 + (in[end++] - '0');
  const bool plain = end > 1 && (end == 2 || in[1] != '0');
  return plain && end + 1 < in.size() && in[end] == '\r' ? end + 2 : 0;
}
bool equal_ignoring_case(Bytes text, std::string_view lower);
bool is_hashed(std::string_view secret);  // md5… or SCRAM-SHA-256$…: of no use to this protocol

// What a server says to AUTH with a password alone when "default" needs none. With the name any is
// right.
bool needs_no_password(std::string_view error);

// "-text\r\n"; what would break the line becomes a blank.
void append_error_line(std::string& out, std::string_view text);
// `error` in the protocol's words. One with this code has the words of a server already.
constexpr std::string_view kServersWords = "REDIS";
void append_error(std::string& out, const Error& error);
void append_bulk(std::string& out, Bytes value);
// For people: a bulk string, or with RESP3 a verbatim one.
void append_text(std::string& out, Bytes text, int resp);
void append_command(std::string& out, std::initializer_list<std::string_view> arguments);

}  // namespace weir::redis
