// weir's own logins against given bytes, at every split of what the server says.
#pragma once

#include <memory>
#include <string>

#include "bytes.h"
#include "protocol/tds/login.h"
#include "tds_dialogues.h"

namespace weir::tds::logins {

using namespace play;
using protocol::Encryption;

inline const std::string kSecret = "Geheim-17";
constexpr const char* kProbeText = "BEGIN TRANSACTION ROLLBACK TRANSACTION";
inline const std::string kCollation("\x09\x04\xd0\x00\x34", 5);

inline protocol::LoginTarget target(Encryption tls = Encryption::None) {
  protocol::LoginTarget target;
  target.user = "ann";
  target.secret = kSecret;
  target.database = "shop";
  target.tls = tls;
  return target;
}

inline std::string ack_token(uint32_t version) {
  std::string out;
  append_login_ack(out, {1, version, "Microsoft SQL Server", 0x100007d0});
  return out;
}

inline std::string login_tokens(uint32_t version = 0x74000004) {
  std::string info;
  append_message_token(info, Token::Info, Version::V74, {5701, 1, 10, "Changed.", "", "", 1});
  return change(EnvKind::Database, "shop", "master") + info +
         change(EnvKind::Language, "us_english") + change(EnvKind::Collation, kCollation) +
         ack_token(version) + change(EnvKind::PacketSize, "4096", "4096");
}

inline std::string login_reply() { return reply(login_tokens() + done_token(), 57); }

inline std::string announced() {
  return reply(change(EnvKind::BeginTransaction, descriptor(7)) + done_token(kDoneMore) +
                   change(EnvKind::RollbackTransaction, {}, descriptor(7)) + done_token(),
               57);
}

inline std::string no_tls() { return prelogin_reply(2); }

struct Played {
  Ending ending;
  std::unique_ptr<ServerState> server;
  std::string sent;
};

inline Played play_once(const protocol::LoginTarget& to, const Flights& flights,
                        const Split& split) {
  Languages languages;
  languages.number_of("Deutsch");
  TdsLogin login(to, languages);
  Player player(login);
  for (const std::string& flight : flights)
    for (const std::string& piece : split(flight)) player.deliver(piece);
  player.end();
  Played played{player.ending(), nullptr, player.sent};
  auto state = login.take_server();
  played.server.reset(static_cast<ServerState*>(state.release()));
  return played;
}

// However it is cut, it comes to the same.
inline Played play_login(const protocol::LoginTarget& to, const Flights& flights) {
  Played first = play_once(to, flights, whole());
  for (const Split& split : splits_of(flights)) {
    const Played again = play_once(to, flights, split);
    EXPECT_EQ(again.ending.step, first.ending.step);
    EXPECT_EQ(again.ending.said, first.ending.said);
    EXPECT_EQ(again.ending.error.text, first.ending.error.text);
    EXPECT_EQ(again.ending.left, first.ending.left);
    EXPECT_EQ(again.server->facts, first.server->facts);
    EXPECT_EQ(again.server->announces, first.server->announces);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_EQ(first.ending.error.text.find(kSecret), std::string::npos);
  return first;
}

inline protocol::Error refused(const protocol::LoginTarget& to, const Flights& flights) {
  const Played played = play_login(to, flights);
  EXPECT_EQ(played.ending.step, Step::Fail);
  return played.ending.error;
}

inline protocol::Error refused_with(const std::string& tokens) {
  return refused(target(), {no_tls(), reply(tokens)});
}

inline Login7 login_in(const std::string& sent) {
  for (Bytes rest = sent; !rest.empty();) {
    MessageAssembler message(Side::Client, 1 << 20);
    const auto taken = message.feed(rest);
    if (!taken || !taken.value().whole) break;
    if (message.type() == PacketType::Login7) return read_login7(message.payload()).value();
    rest.remove_prefix(taken.value().bytes);
  }
  ADD_FAILURE() << "no LOGIN7";
  return {};
}

}  // namespace weir::tds::logins
