// Scripted conversations with the greeting and the login: the same bytes whole, cut in two at every
// place and byte by byte, with the same outcome each time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "postgres_talk.h"

namespace weir::postgres::script {

// Runs `talk` with every way of splitting and returns the outcome, which has to be the same each
// time.
template <class Talk>
Outcome at_every_split(const Flights& flights, Talk talk) {
  const Outcome expected = talk(whole);
  EXPECT_TRUE(expected == talk(bytewise)) << "byte by byte";
  size_t longest = 0;
  for (const std::string& flight : flights) longest = std::max(longest, flight.size());
  for (size_t place = 1; place < longest; ++place) {
    const Outcome outcome = talk(cut_at(place));
    EXPECT_TRUE(expected == outcome)
        << "cut at " << place << ": " << outcome.error << " instead of " << expected.error;
  }
  return expected;
}

inline Outcome greet_at_every_split(const Host& host, const Flights& flights) {
  return at_every_split(flights, [&](auto split) { return greet(host, flights, split); });
}
inline Outcome log_in_at_every_split(const protocol::LoginTarget& target, const Flights& flights) {
  return at_every_split(flights, [&](auto split) { return log_in(target, flights, split); });
}

// ---------------------------------------------------------------- bytes

struct Sent {
  char type;
  std::string body;
};
inline std::vector<Sent> messages_of(base::Bytes bytes) {
  std::vector<Sent> messages;
  while (!bytes.empty()) {
    const auto message = cut_message(bytes, bytes.size());
    if (!message || message.value().consumed == 0) {
      ADD_FAILURE() << "not a message: " << bytes;
      break;
    }
    messages.push_back({message.value().type, std::string(message.value().body)});
    bytes.remove_prefix(message.value().consumed);
  }
  return messages;
}
inline std::string types_of(base::Bytes bytes) {
  std::string types;
  for (const Sent& message : messages_of(bytes)) types.push_back(message.type);
  return types;
}

inline std::string request_code(uint32_t code) {
  std::string out;
  MessageBuilder(out, '\0').int32(code);
  return out;
}
inline std::string startup(const SettingList& parameters) {
  std::string out;
  append_startup(out, parameters);
  return out;
}
inline std::string raw_startup(uint32_t version, base::Bytes parameters) {
  std::string out;
  MessageBuilder(out, '\0').int32(version).raw(parameters);
  return out;
}
inline std::string message(char type, base::Bytes body) {
  std::string out;
  MessageBuilder(out, type).raw(body);
  return out;
}
inline std::string password(std::string_view text) {
  std::string out;
  append_password(out, text);
  return out;
}
inline std::string sasl_initial(base::Bytes data, std::string_view mechanism = "SCRAM-SHA-256") {
  std::string out;
  append_sasl_initial(out, mechanism, data);
  return out;
}
inline std::string authentication(Authentication kind, base::Bytes data = {}) {
  std::string out;
  append_authentication(out, kind, data);
  return out;
}

}  // namespace weir::postgres::script
