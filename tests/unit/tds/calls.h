// Calls of sp_prepare and its like as drivers write them, and what servers answer.
#pragma once

#include "link_plays.h"

namespace weir::tds::links {

inline std::string integer(std::optional<int32_t> value, uint8_t status = 0) {
  return hex("00") + hand::le(status) + hex("2604") +
         (value ? hex("04") + hand::le(*value) : hex("00"));
}
inline std::string text_parameter(std::string_view text) {
  const std::string utf16 = utf16_of(text);
  return hex("00 00 e7 401f 0904d00034") + hand::le(static_cast<uint16_t>(utf16.size())) + utf16;
}

inline std::string call(Procedure procedure, const std::string& parameters) {
  return hex("ffff") + hand::le(static_cast<uint16_t>(procedure)) + hex("0000") + parameters;
}
inline std::string prepare(std::string_view text, std::optional<int32_t> handle = {}) {
  return call(Procedure::Prepare, integer(handle, kByReference) + text_parameter("@a int") +
                                      text_parameter(text) + integer(1));
}
inline std::string prepexec(std::string_view text, std::optional<int32_t> handle = {},
                            const std::string& values = integer(42)) {
  return call(Procedure::PrepExec, integer(handle, kByReference) + text_parameter("@a int") +
                                       text_parameter(text) + values);
}
inline std::string execute(int32_t handle) {
  return call(Procedure::Execute, integer(handle) + integer(42));
}
inline std::string unprepare(int32_t handle) { return call(Procedure::Unprepare, integer(handle)); }

// Of calls, with what separates them.
inline std::string calls(const std::vector<std::string>& all, const Form& form = {}) {
  std::string body;
  for (const std::string& one : all) body += (body.empty() ? "" : hex("ff")) + one;
  return request(PacketType::Rpc, body, form);
}

// ---------------------------------------------------------------- what servers answer

inline std::string value_token(uint16_t ordinal, std::optional<int32_t> value) {
  return hex("ac") + hand::le(ordinal) + hex("00 01 00000000 0000 2604") +
         (value ? hex("04") + hand::le(*value) : hex("00"));
}
inline std::string call_done(uint16_t status = 0) {
  std::string out = hex("79 00000000");
  append_done(out, Version::V74, {status, 0xe0, 0}, Token::DoneProc);
  return out;
}
inline std::string handle_tokens(int32_t number, uint16_t status = 0) {
  return value_token(0, number) + call_done(status);
}
inline std::string handle_reply(int32_t number) { return reply(handle_tokens(number)); }
inline std::string call_reply() { return reply(call_done()); }

}  // namespace weir::tds::links
