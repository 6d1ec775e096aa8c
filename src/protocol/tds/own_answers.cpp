#include "own_answers.h"

#include <algorithm>
#include <array>

namespace weir::tds {

namespace {

constexpr uint8_t kFatalSeverity = 20;  // from here on clients take the connection for lost

struct Number {
  std::string_view code;  // of an Error
  int32_t number;
  uint8_t severity;
};
constexpr std::array kNumbers{
    Number{"28000", 18456, 14},                             // login failed
    Number{"28P01", 18456, 14}, Number{"3D000", 4060, 11},  // cannot open the database
    Number{"53300", 17809, 16},                             // too many connections
    Number{"57P01", 6005, 14},                              // shutdown is in progress
    Number{"57014", 3617, 16},                              // cancelled
    Number{"0A000", 40510, 16},                             // not supported
    Number{"08P01", 4002, 16},                              // the incoming stream is wrong
};
constexpr int32_t kOwnNumber = 50000;

std::string answer(Version version, std::string tokens, uint16_t status) {
  append_done(tokens, version, {.status = status});
  std::string out;
  append_message(out, {.type = PacketType::Reply}, tokens);
  return out;
}

}  // namespace

ServerMessage message_of(const Error& error, Gravity gravity) {
  ServerMessage message{.number = kOwnNumber, .severity = 16, .text = error.text, .server = "weir"};
  const auto* found = std::find_if(kNumbers.begin(), kNumbers.end(),
                                   [&](const Number& one) { return one.code == error.code; });
  if (found != kNumbers.end()) {
    message.number = found->number;
    message.severity = found->severity;
  }
  if (gravity == Gravity::Fatal) message.severity = std::max(message.severity, kFatalSeverity);
  return message;
}

void append_error_answer(std::string& out, Version version, const ServerMessage& message) {
  std::string tokens;
  append_message_token(tokens, Token::Error, version, message);
  out += answer(version, std::move(tokens), kDoneError);
}

void append_attention_answer(std::string& out, Version version) {
  out += answer(version, {}, kDoneAttention);
}

ServerMessage login_failed(std::string_view user) {
  return {.number = 18456,
          .severity = 14,
          .text = "Login failed for user '" + std::string(user) + "'.",
          .server = "weir"};
}

}  // namespace weir::tds
