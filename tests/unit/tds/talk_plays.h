// The talks with a server between two holds, played at every split of what it says.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "protocol/tds/talks.h"
#include "tds_dialogues.h"
#include "walks.h"

namespace weir::tds::talks {

using namespace play;

inline InternTable& texts() {
  static InternTable table;
  return table;
}

constexpr const char* kRollbackText = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";
inline const std::string kBaseline = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;USE [shop];";

using Before = std::function<void(ServerState&)>;
using Make = std::function<std::unique_ptr<Dialogue>(ServerState&)>;

struct Played {
  Ending ending;
  std::unique_ptr<ServerState> server;
};

inline std::unique_ptr<ServerState> server_in(const Before& before) {
  auto server = std::make_unique<ServerState>();
  server->facts.database = "shop";
  if (before) before(*server);
  return server;
}

inline Played play_once(const Before& before, const Make& make, const Flights& flights,
                        const Split& split) {
  Played played{{}, server_in(before)};
  const auto talk = make(*played.server);
  if (!talk) {
    ADD_FAILURE() << "nothing to say";
    return played;
  }
  Player player(*talk, played.server->walker.version());
  for (const std::string& flight : flights)
    for (const std::string& piece : split(flight)) player.deliver(piece);
  player.end();
  played.ending = player.ending();
  return played;
}

inline Played play_talk(const Before& before, const Make& make, const Flights& flights) {
  Played first = play_once(before, make, flights, whole());
  for (const Split& split : splits_of(flights)) {
    const Played again = play_once(before, make, flights, split);
    EXPECT_EQ(again.ending.step, first.ending.step);
    EXPECT_EQ(again.ending.said, first.ending.said);
    EXPECT_EQ(again.ending.error.text, first.ending.error.text);
    EXPECT_EQ(again.ending.error.kind, first.ending.error.kind);
    EXPECT_EQ(again.ending.left, first.ending.left);
    EXPECT_EQ(again.server->dirty, first.server->dirty);
    EXPECT_EQ(again.server->transaction, first.server->transaction);
    if (testing::Test::HasFailure()) break;
  }
  return first;
}

inline std::string good() { return reply(done_token()); }
inline std::string acknowledged() { return reply(change(EnvKind::ResetDone, {}) + done_token()); }
inline std::string refused() {
  return reply(error_token(911, "No such database.") + done_token(2));
}

inline Make attach(const SettingMap& wanted) {
  static ClientState client;
  return [wanted](ServerState& server) {
    client.wanted = intern_settings(texts(), wanted);
    return make_attach(client, server);
  };
}
inline Make reset(const std::string& how) {
  return [how](ServerState& server) { return make_reset(server, how); };
}
inline Before in_force(const SettingMap& map) {
  return [map](ServerState& server) { server.in_force = intern_settings(texts(), map); };
}

}  // namespace weir::tds::talks
