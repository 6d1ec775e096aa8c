// What a client is told when it is in, and when a server is needed to tell it.
#include "script.h"

namespace weir::postgres {
namespace {

using namespace script;

Host trusting(PostgresFacts* facts, const ServerState* attached = nullptr) {
  Host host;
  host.admission.method = protocol::AuthMethod::Trust;
  host.admission.session_id = 7;
  host.admission.options.prepared_statements = 3;
  host.facts = facts;
  host.attached = attached;
  return host;
}

ServerState server() {
  ServerState state;
  state.base = {{"server_version", "15.1"}, {"TimeZone", "UTC"}, {"application_name", ""}};
  state.reported = state.base;
  return state;
}

SettingMap told(const Outcome& outcome) {
  SettingMap map;
  for (const Sent& sent : messages_of(outcome.sent)) {
    if (sent.type != 'S') continue;
    BodyReader reader(sent.body);
    std::string name(reader.text());
    map.emplace(std::move(name), std::string(reader.text()));
    EXPECT_TRUE(reader.at_end());
  }
  return map;
}

bool settled(const PostgresFacts& facts, const SettingList& settings) {
  SettingList parameters = {{"user", "u"}};
  parameters.insert(parameters.end(), settings.begin(), settings.end());
  PostgresGreeting greeting({texts(), store(), 100000, fixed_bytes});
  std::string send;
  EXPECT_EQ(greeting.feed(startup(parameters), send).step, Step::Ask);
  EXPECT_EQ(greeting.admit(trusting(nullptr).admission, send).step, Step::NeedServer);
  return greeting.settled_by(facts);
}

TEST(Welcome, NeedsAServerUntilOneIsKnown) {
  PostgresFacts facts;
  EXPECT_FALSE(settled(facts, {}));
  facts.note(server());
  EXPECT_TRUE(settled(facts, {}));
  EXPECT_TRUE(settled(facts, {{"application_name", "anything"}}));
  EXPECT_FALSE(settled(facts, {{"application_name", std::string(64, 'x')}}));
  EXPECT_FALSE(settled(facts, {{"application_name", "t\303\244g"}}));
  EXPECT_TRUE(settled(facts, {{"timezone", "UTC"}}));
  EXPECT_TRUE(settled(facts, {{"TimeZone", "UTC"}, {"application_name", "a"}}));
  EXPECT_FALSE(settled(facts, {{"TimeZone", "utc"}}));
  EXPECT_FALSE(settled(facts, {{"geqo", "off"}}));
}

TEST(Welcome, TellsWhatTheServersReportWithTheClientsOwnOnTop) {
  PostgresFacts facts;
  facts.note(server());
  const Outcome outcome = greet_at_every_split(
      trusting(&facts),
      {startup({{"user", "u"}, {"application_name", "App"}, {"timezone", "UTC"}})});
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(types_of(outcome.sent), "RSSSKZ");
  EXPECT_EQ(
      told(outcome),
      (SettingMap{{"server_version", "15.1"}, {"TimeZone", "UTC"}, {"application_name", "App"}}));
}

TEST(Welcome, FillsTheClientsState) {
  PostgresFacts facts;
  facts.note(server());
  std::unique_ptr<PostgresGreeting> greeting;
  Host host = trusting(&facts);
  host.admission.cancel_key = std::string(protocol::kCancelKeyBytes, 'k');
  greet(host, {startup({{"user", "u"}, {"application_name", "App"}})}, whole, &greeting);
  const auto client = greeting->take_client();
  const auto& state = static_cast<const ClientState&>(*client);
  EXPECT_EQ(state.session_id, 7u);
  EXPECT_EQ(state.cancel_key, "kkkk");
  EXPECT_EQ(state.options.prepared_statements, 3);
  EXPECT_TRUE(state.wanted == state.startup);
  EXPECT_EQ(startup_settings(*client), (SettingMap{{"application_name", "App"}}));
}

TEST(Welcome, RemembersWhatAServerMadeOfTheSettings) {
  PostgresFacts facts;
  const SettingList asked = {
      {"user", "u"}, {"timezone", "utc"}, {"geqo", "0"}, {"application_name", "one"}};
  PostgresGreeting greeting({texts(), store(), 4096, fixed_bytes});
  std::string send;
  greeting.feed(startup(asked), send);
  greeting.admit(trusting(nullptr).admission, send);
  EXPECT_FALSE(greeting.settled_by(facts));
  // What attach() does: the server's spelling goes into the client's state.
  auto& client = static_cast<ClientState&>(greeting.client());
  client.wanted = intern_settings(
      texts(), {{"timezone", "Etc/UTC"}, {"geqo", "0"}, {"application_name", "one"}});
  ServerState attached = server();
  attached.reported["TimeZone"] = "Etc/UTC";
  attached.reported["application_name"] = "one";
  EXPECT_EQ(greeting.welcome(facts, &attached, send).step, Step::Done);
  EXPECT_TRUE(client.startup == client.wanted);

  // One client's settings do not become everybody's.
  EXPECT_EQ(facts.reported(), attached.base);

  // The next client with these settings needs no server, whatever its application_name.
  const SettingList same = {
      {"user", "v"}, {"timezone", "utc"}, {"geqo", "0"}, {"application_name", "two"}};
  EXPECT_TRUE(settled(facts, {same.begin() + 1, same.end()}));
  std::unique_ptr<PostgresGreeting> next;
  const Outcome outcome = greet(trusting(&facts), {startup(same)}, whole, &next);
  EXPECT_EQ(told(outcome)["TimeZone"], "Etc/UTC");
  EXPECT_EQ(told(outcome)["application_name"], "two");
  EXPECT_EQ(startup_settings(*next->take_client()),
            (SettingMap{{"timezone", "Etc/UTC"}, {"geqo", "0"}, {"application_name", "two"}}));
  EXPECT_FALSE(settled(facts, {{"timezone", "utc"}}));  // another set
}

TEST(Facts, ForgetWhenTheServerIsAnother) {
  PostgresFacts facts;
  facts.note(server());
  const Interned set = intern_settings(texts(), {{"geqo", "0"}});
  facts.remember(set, intern_settings(texts(), {{"geqo", "off"}}));
  ASSERT_TRUE(facts.canonical(set));
  ServerState other = server();
  other.base["TimeZone"] = "Europe/Paris";
  facts.learn(other);
  EXPECT_TRUE(facts.canonical(set));
  EXPECT_EQ(facts.reported().find("TimeZone")->second, "Europe/Paris");
  other.base["server_version"] = "16.0";
  facts.learn(other);
  EXPECT_FALSE(facts.canonical(set));
}

// A standby says `in_hot_standby`; a client that is told so, and wants to write, goes away.
TEST(Facts, OfReadersAreApart) {
  ServerState standby = server();
  standby.is_readers = true;
  standby.base["in_hot_standby"] = "on";
  PostgresFacts facts;
  facts.learn(standby);
  const auto is_settled = [&facts](const char* reads_only, bool separate_readers) {
    Host host = trusting(nullptr);
    host.admission.options.separate_readers = separate_readers;
    PostgresGreeting greeting({texts(), store(), 100000, fixed_bytes});
    std::string send;
    greeting.feed(startup({{"user", "u"}, {"default_transaction_read_only", reads_only}}), send);
    greeting.admit(host.admission, send);
    return std::pair(greeting.client().variant(), greeting.settled_by(facts));
  };
  standby.base["default_transaction_read_only"] = "on";
  facts.learn(standby);
  EXPECT_EQ(is_settled("on", true), std::pair(kReaders, true));
  for (const char* word : {"ON", "1", "t", "Tru", "true", "y", "yes"})
    EXPECT_EQ(is_settled(word, true), std::pair(kReaders, false)) << word;  // spelt otherwise
  for (const char* word : {"off", "o", "0", "false", "no", "", "truely", "2"})
    EXPECT_EQ(is_settled(word, true), std::pair(uint64_t{0}, false)) << word;
  EXPECT_EQ(is_settled("on", false), std::pair(uint64_t{0}, false));
  EXPECT_FALSE(facts.known());
}

TEST(Facts, AreBounded) {
  PostgresFacts facts;
  facts.note(server());
  for (size_t i = 0; i < PostgresFacts::kSetsMax + 100; ++i) {
    const Interned set = intern_settings(texts(), {{"geqo", std::to_string(i)}});
    facts.remember(set, set);
    facts.remember(set, set);
  }
  EXPECT_EQ(facts.sets(), PostgresFacts::kSetsMax);
  EXPECT_FALSE(facts.canonical(intern_settings(texts(), {{"geqo", "5"}})));
  EXPECT_TRUE(facts.canonical(intern_settings(texts(), {{"geqo", "500"}})));
}

TEST(Facts, OfAServerInsideWeir) {
  const auto facts = make_facts({{"server_version", "15.0 (weir)"}, {"client_encoding", "UTF8"}});
  auto& known = static_cast<PostgresFacts&>(*facts);
  EXPECT_TRUE(settled(known, {{"client_encoding", "UTF8"}}));
  const Outcome outcome =
      greet(trusting(&known), {startup({{"user", "u"}, {"extra_float_digits", "3"}})}, whole);
  EXPECT_EQ(told(outcome), known.reported());
  EXPECT_FALSE(settled(static_cast<PostgresFacts&>(*make_facts({})), {}));
}

}  // namespace
}  // namespace weir::postgres
