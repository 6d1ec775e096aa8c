// One client's commands, played whole and in all ways of cutting them. Shared by the tests of this
// folder.
#pragma once

#include <gtest/gtest.h>

#include <cctype>

#include "redis_talk.h"

namespace weir::redis::script {

inline std::string command(std::initializer_list<std::string_view> arguments) {
  std::string out;
  append_command(out, arguments);
  return out;
}

struct Played {
  std::string out;
  std::string events;
  size_t leases = 0;
  bool operator==(const Played&) const = default;
};

struct Setting {
  protocol::LoginTarget target = {};
  bool hub = false;  // clients that listen share a server
};

inline Played play_in(const std::vector<std::string>& parts, size_t piece, const Setting& setting) {
  World world(piece, {}, setting.target);
  world.hub = setting.hub;
  world.redis.users["default"] = setting.target.secret;
  const size_t id = world.add_client();
  for (const std::string& part : parts) world.send(id, part);
  EXPECT_FALSE(world.lane_failed);
  EXPECT_FALSE(world.leaked);
  EXPECT_FALSE(world.within_a_piece);
  const Client& client = world.client(id);
  return {client.out, client.events, world.leases_opened()};
}

// With everything in one piece, in pieces of each small size (and so do the answers come), and cut
// in two at each place: the client gets the same each time.
inline Played play_with(const Setting& setting, const std::string& bytes) {
  const Played whole = play_in({bytes}, SIZE_MAX, setting);
  for (size_t piece = 1; piece <= 24; ++piece)
    EXPECT_EQ(play_in({bytes}, piece, setting).out, whole.out)
        << "in pieces of " << piece << ": " << bytes;
  for (size_t place = 1; place < std::min<size_t>(bytes.size(), 400); ++place)
    EXPECT_EQ(play_in({bytes.substr(0, place), bytes.substr(place)}, SIZE_MAX, setting).out,
              whole.out)
        << "cut at " << place << ": " << bytes;
  return whole;
}
inline Played play(const std::string& bytes, const protocol::LoginTarget& target = {}) {
  return play_with({target}, bytes);
}

inline std::string bulk(std::string_view text) { return ModelConnection::bulk(text); }

// A confirmation of a subscription, or its end.
inline std::string told(int resp, std::string_view word, std::string_view channel, int count) {
  const std::string name = channel.empty() ? (resp == 3 ? "_\r\n" : "$-1\r\n") : bulk(channel);
  return (resp == 3 ? ">3\r\n" : "*3\r\n") + bulk(word) + name + ":" + std::to_string(count) +
         "\r\n";
}
inline std::string message(int resp, std::string_view channel, std::string_view text) {
  return (resp == 3 ? ">3\r\n" : "*3\r\n") + bulk("message") + bulk(channel) + bulk(text);
}
// HELLO's answer, as the first client is to get it.
inline std::string greeting(int resp, uint64_t client = 1) {
  return ModelConnection::greeting(resp, static_cast<int64_t>(kFirstClientId + client));
}
inline std::string only_subscribes(const std::string& name) {
  return "-ERR Can't execute '" + name +
         "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
         "context\r\n";
}

}  // namespace weir::redis::script
