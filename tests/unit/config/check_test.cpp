// The text of `weir check`, and what a reload would change.
#include <sstream>

#include "sample.h"

namespace weir::config {
namespace {

const std::string kSample =
    "listeners:\n"
    "  - {protocol: postgres, address: 127.0.0.1:6432}\n"
    "  - {protocol: redis, address: 127.0.0.1:6380}\n"
    "users:\n"
    "  ann: {password: a, pool: {size: 5}, max_server_connections: 30}\n"
    "  bob: {password: b}\n"
    "  eve: {password: c, timeouts: {query: 1s}}\n"
    "  fred: {password: d}\n"
    "hosts:\n"
    "  \"db1:5432\": {max_server_connections: 50}\n"
    "  \"db9:5432\": {max_server_connections: 5}\n"
    "defaults: {pool: {overflow: 2}}\n"
    "databases:\n"
    "  app: {url: postgres://db1/app, pool: {max_server_connections: 40}}\n"
    "  shop: {url: postgres://db1/shop, user: ann, pool: {mode: session}}\n"
    "  cache: {url: redis://c, user: bob}\n"
    "  notes: {url: sqlite:///n.db}\n"
    "  \"*\": {url: postgres://db2, user: fred}\n";

std::string check_text(const Config& config) {
  std::ostringstream out;
  print_check(config, out);
  return out.str();
}

TEST(Check, PoolsAndWorstCases) {
  EXPECT_EQ(check_text(good(kSample)), R"(weir.yaml: fine
listeners
  postgres 127.0.0.1:6432
  redis 127.0.0.1:6380 -> cache
pools: user over database over defaults; what is not named is built-in
  *  postgres://db2:5432
    as fred: mode transaction, size 20, min 0, overflow 2; servers at worst 22 (pool.size + pool.overflow)
      pool.overflow 2 (defaults)
  app  postgres://db1:5432/app
    as ann: mode transaction, size 5, min 0, overflow 2; servers at worst 7 (pool.size + pool.overflow)
      pool.size 5 (user), pool.overflow 2 (defaults), pool.max_server_connections 40 (database)
    as eve: mode transaction, size 20, min 0, overflow 2; servers at worst 22 (pool.size + pool.overflow)
      pool.overflow 2 (defaults), pool.max_server_connections 40 (database), timeouts.query 1s (user)
    as each of 2 other users: mode transaction, size 20, min 0, overflow 2; servers at worst 22 each (pool.size + pool.overflow)
      pool.overflow 2 (defaults), pool.max_server_connections 40 (database)
  cache  redis://c:6379/0
    as bob: mode transaction, size 20, min 0, overflow 2; servers at worst 22 (pool.size + pool.overflow)
      pool.overflow 2 (defaults)
      lanes: 1 for each worker (one for each core), out of these
  notes  sqlite:///n.db
    as ann: mode transaction, size 5, min 0, overflow 2; servers at worst 7 (pool.size + pool.overflow)
      pool.size 5 (user), pool.overflow 2 (defaults)
    as eve: mode transaction, size 20, min 0, overflow 2; servers at worst 22 (pool.size + pool.overflow)
      pool.overflow 2 (defaults), timeouts.query 1s (user)
    as each of 2 other users: mode transaction, size 20, min 0, overflow 2; servers at worst 22 each (pool.size + pool.overflow)
      pool.overflow 2 (defaults)
  shop  postgres://db1:5432/shop
    as ann: mode session, size 5, min 0, overflow 2; servers at worst 7 (pool.size + pool.overflow)
      pool.mode session (database), pool.size 5 (user), pool.overflow 2 (defaults)
server connections at worst, by database
  *  22 for each name, no cap
  app  40: the pools would take 73, the cap is 40
  cache  22, no cap
  shop  7, no cap
server connections at worst, by server user
  ann  14, within the cap of 30
  bob  44, no cap
  eve  22, no cap
  fred  22 and 22 for each name, no cap
server connections at worst, by host
  c:6379  22, no cap
  db1:5432  47, within the cap of 50
  db2:5432  22 for each name, no cap
  db9:5432  no database is there; the cap of 5 limits nothing
without a cap, by database
  *  22 for each name and 1 for each replication client, of at most 10000 clients; a cap: users.fred.max_server_connections or hosts."db2:5432".max_server_connections
)");
}

// What is printed behind the line `title`, up to the next line that is not indented.
std::string section_of(const std::string& text, const std::string& title) {
  const size_t at = text.find('\n' + title + '\n');
  if (at == std::string::npos) return "none";
  std::istringstream lines(text.substr(at + title.size() + 2));
  std::string out;
  for (std::string line; std::getline(lines, line) && line.starts_with(' ');) out += line + '\n';
  return out;
}

const std::string kWorst = "server connections at worst, by ";
const std::string kPools = "pools: user over database over defaults; what is not named is built-in";
const std::string kUncapped = "without a cap, by database";

std::string asking(const std::string& auth, const std::string& pool, const std::string& more = "") {
  return check_text(
      good("listeners: [{protocol: postgres, address: \"h:1\"}]\n"
           "auth: {" +
           auth +
           "}\n"
           "users: {asker: {password: a}, ann: {password: b}}\n"
           "databases: {app: {url: postgres://db1/app" +
           pool + "}}\n" + more));
}
const std::string kQuery = "query: {database: app, user: asker}";

// Their pools were not counted, nor were the connections that auth.query asks on.
TEST(Check, UsersThatOnlyTheDatabaseKnows) {
  const std::string text = asking(kQuery, "");
  EXPECT_EQ(
      section_of(text, kPools),
      "  app  postgres://db1:5432/app\n"
      "    as each of 2 users: mode transaction, size 20, min 0, overflow 0; servers at worst "
      "20 each (pool.size)\n"
      "    as each user that auth.query finds: mode transaction, size 20, min 0, overflow 0; "
      "servers at worst 20 each (pool.size)\n"
      "    auth.query, as asker: size 2, besides these; servers at worst 2 (pool.size)\n");
  EXPECT_EQ(section_of(text, kWorst + "database"),
            "  app  42 and 20 for each user that auth.query finds, no cap\n");
  EXPECT_EQ(section_of(text, kWorst + "server user"),
            "  ann  20, no cap\n"
            "  asker  22, no cap\n"
            "  each user that auth.query finds  20, no cap\n");
  EXPECT_EQ(section_of(text, kWorst + "host"),
            "  db1:5432  42 and 20 for each user that auth.query finds (app), no cap\n");
  EXPECT_EQ(
      section_of(text, kUncapped),
      "  app  20 for each user that auth.query finds and 1 for each replication client, of at "
      "most 10000 clients; a cap: databases.app.pool.max_server_connections or "
      "hosts.\"db1:5432\".max_server_connections\n");
}

const std::string kDoubts = "is this meant?";

TEST(Check, ListenersAndDatabasesWithoutEachOther) {
  const std::string app =
      "users: {ann: {password: a}}\n"
      "databases: {app: {url: postgres://db1/app, user: u, password: p}}\n";
  EXPECT_EQ(section_of(check_text(good("listeners: [{protocol: postgres, address: 127.0.0.1:1}, "
                                       "{protocol: tds, address: 127.0.0.1:2}]\n" +
                                       app)),
                       kDoubts),
            "  listeners[1]: there is no tds database for its clients\n");
  EXPECT_EQ(
      section_of(check_text(good("listeners: [{protocol: tds, address: 127.0.0.1:2}]\n"
                                 "users: {ann: {password: a}}\n"
                                 "databases: {app: {url: postgres://db1/app, user: u, password: "
                                 "p}, erp: {url: mssql://db2/erp, user: u, password: p}}\n")),
                 kDoubts),
      "  databases.app: no listener leads to it; its clients speak postgres\n");
  // Nobody has to come to the database that is asked for users.
  EXPECT_EQ(section_of(check_text(good("listeners: [{protocol: tds, address: 127.0.0.1:2}]\n"
                                       "auth: {query: {database: app, user: u}}\n"
                                       "databases: {app: {url: postgres://db1/app, user: u, "
                                       "password: p}, erp: {url: mssql://db2/erp}}\n")),
                       kDoubts),
            "none");
}

TEST(Check, AListenerForTheConsoleIsMeant) {
  EXPECT_EQ(section_of(check_text(good("listeners: [{protocol: postgres, address: 127.0.0.1:1}, "
                                       "{protocol: redis, address: 127.0.0.1:2}]\n"
                                       "admin: {users: [ann]}\n"
                                       "users: {ann: {password: a}}\n"
                                       "databases: {cache: {url: redis://h}}\n")),
                       kDoubts),
            "none");
}

// A limit of one left no room for what counted twice.
TEST(Check, AHostThatIsThereTwiceCountsOnce) {
  Database database;
  database.url.hosts = {{"a", 1433}, {"b", 1433}};
  database.read_only = {{"b", 1433}, {"c", 1433}};
  database.failover_partner = Host{"a", 1433};
  EXPECT_EQ(database.all_hosts(), (std::vector<Host>{{"a", 1433}, {"b", 1433}, {"c", 1433}}));
}

TEST(Check, PasswordsInClear) {
  const auto doubts = [](const std::string& listener, const std::string& url) {
    return section_of(check_text(good("listeners: [{" + listener +
                                      "}]\n"
                                      "users: {ann: {password: a}}\n"
                                      "databases: {app: {url: \"" +
                                      url + "\"}}\n")),
                      kDoubts);
  };
  const std::string clear = "  listeners[0].tls: passwords come in clear over the network\n";
  EXPECT_EQ(doubts("protocol: tds, address: \"*:1\"", "mssql://d/app"), clear);
  EXPECT_EQ(doubts("protocol: redis, address: \"h:1\"", "redis://d"), clear);
  EXPECT_EQ(
      doubts("protocol: postgres, address: \"h:1\", auth: {method: plain}", "postgres://d/app"),
      clear);
  EXPECT_EQ(doubts("protocol: postgres, address: \"h:1\"", "postgres://d/app"), "none");
  EXPECT_EQ(doubts("protocol: tds, address: \"h:1\", auth: {method: trust}", "mssql://d/app"),
            "none");
  Config config = good(
      "listeners: [{protocol: tds, address: \"h:1\"}]\n"
      "users: {ann: {password: a}}\n"
      "databases: {app: {url: mssql://d/app}}\n");
  config.listeners[0].tls.mode = TlsMode::Login;
  EXPECT_TRUE(doubts_about(config).empty());
  EXPECT_EQ(doubts("protocol: tds, address: \"127.0.0.1:1\"", "mssql://d/app"), "none");
}

TEST(Check, UsersWhoCannotLogIn) {
  const auto doubts = [](const std::string& auth, const std::string& database) {
    return section_of(
        check_text(good("listeners: [{protocol: postgres, address: 127.0.0.1:1}]\n" + auth +
                        "users: {ann: {pool: {size: 3}}, bob: {password: b}}\n"
                        "databases: {app: {url: postgres://d/app" +
                        database + "}}\n")),
        kDoubts);
  };
  EXPECT_EQ(doubts("", ""), "  users.ann: has no password, so nobody can log in as this user\n");
  EXPECT_EQ(doubts("auth: {method: trust}\n", ""), "none");
  EXPECT_EQ(doubts("auth: {query: {database: app, user: bob}}\n", ""), "none");
  EXPECT_EQ(doubts("", ", user: ann, password: a"), "none");
  EXPECT_EQ(section_of(check_text(good(kRest)), kDoubts),
            "  users: there are none, and clients log in with their passwords\n");
}

TEST(Check, ACapBoundsThem) {
  const std::string by_database = asking(kQuery, ", pool: {max_server_connections: 50}");
  EXPECT_EQ(
      section_of(by_database, kWorst + "database"),
      "  app  50: the pools would take 42 and 20 for each user that auth.query finds, the cap "
      "is 50\n");
  EXPECT_EQ(section_of(by_database, kWorst + "host"), "  db1:5432  50, no cap\n");
  EXPECT_EQ(section_of(by_database, kUncapped), "none");
  const std::string by_host =
      asking(kQuery, "", "hosts: {\"db1:5432\": {max_server_connections: 30}}\n");
  EXPECT_EQ(section_of(by_host, kWorst + "host"),
            "  db1:5432  30: the pools would take 42 and 20 for each user that auth.query finds "
            "(app), the cap is 30\n");
  EXPECT_EQ(section_of(by_host, kUncapped), "none");
}

TEST(Check, WithOneServerUserThereIsOnePool) {
  const std::string text = asking(kQuery, ", user: ann, pool: {max_client_connections: 70}");
  EXPECT_EQ(section_of(text, kWorst + "database"), "  app  22, no cap\n");
  EXPECT_EQ(section_of(text, kUncapped),
            "  app  1 for each replication client, of at most 70 clients; a cap: "
            "databases.app.pool.max_server_connections or "
            "hosts.\"db1:5432\".max_server_connections\n");
}

TEST(Check, WhoNeedsNoPasswordNeedsNoEntry) {
  const std::string worst = kWorst + "database";
  EXPECT_EQ(section_of(asking("method: trust", ""), worst),
            "  app  40 and 20 for each user who needs no secret here, no cap\n");
  EXPECT_EQ(section_of(asking("method: peer, " + kQuery, ""), worst),
            "  app  42 and 20 for each user who needs no secret here, no cap\n");
  EXPECT_EQ(section_of(asking("method: plain", ""), worst), "  app  40, no cap\n");
}

TEST(Check, ACapUnderStarIsOfEachName) {
  const std::string text = check_text(
      good("listeners: [{protocol: postgres, address: \"h:1\"}]\n"
           "users: {ann: {password: a, max_server_connections: 60}}\n"
           "databases: {\"*\": {url: postgres://db1, pool: {max_server_connections: 7}}}\n"));
  EXPECT_EQ(section_of(text, kWorst + "database"), "  *  7 for each name, no cap\n");
  EXPECT_EQ(section_of(text, kUncapped), "none");  // ann's cap bounds them all
}

// A lane takes its server out of the pool.
TEST(Check, LanesComeOutOfTheSize) {
  const auto lanes = [](const std::string& workers, const std::string& size) {
    const std::string text = check_text(good(
        "listeners: [{protocol: redis, address: \"h:1\"}]\n" + workers +
        "databases: {cache: {url: \"redis://bob:b@c\", lanes: 3, pool: {size: " + size + "}}}\n"));
    EXPECT_EQ(section_of(text, kWorst + "host"), "  c:6379  " + size + ", no cap\n");
    EXPECT_EQ(section_of(text, kUncapped), "none");  // no replication clients here
    const size_t at = text.find("      lanes: ");
    return at == std::string::npos ? "" : text.substr(at + 13, text.find('\n', at) - at - 13);
  };
  EXPECT_EQ(lanes("", "20"), "3 for each worker (one for each core), out of these");
  EXPECT_EQ(lanes("workers: 4\n", "20"), "3 for each of 4 workers, 12 of these");
  EXPECT_EQ(lanes("workers: 4\n", "12"),
            "3 for each of 4 workers, 12: they may have all of these, a command that needs one "
            "alone waits");
}

std::string differences_text(const Config& before, const Config& after) {
  std::string out;
  for (const Difference& one : differences(before, after)) {
    out += one.path + ": " + one.text + (one.needs_restart ? " (restart)" : "") + '\n';
  }
  return out;
}

TEST(Differences, NoneOfItself) { EXPECT_EQ(differences_text(good(kSample), good(kSample)), ""); }

TEST(Differences, EachOption) {
  const std::string more =
      "workers: 3\n"
      "http: {address: 127.0.0.1:9930}\n"
      "log: {level: debug}\n"
      "listeners:\n"
      "  - {protocol: postgres, address: 127.0.0.1:6432}\n"
      "  - {protocol: postgres, address: 127.0.0.1:6433}\n"
      "users:\n"
      "  ann: {password: a2, pool: {size: 6}, max_server_connections: 30}\n"
      "  bob: {password: b, timeouts: {query: 2s}}\n"
      "  eve: {password: c}\n"
      "  gus: {password: g}\n"
      "hosts:\n"
      "  \"db1:5432\": {max_server_connections: 51}\n"
      "  \"db9:5432\": {max_server_connections: 5}\n"
      "defaults: {pool: {overflow: 2}, timeouts: {cancel: 3s}}\n"
      "databases:\n"
      "  app: {url: postgres://db2/app, pool: {max_server_connections: 40}}\n"
      "  shop: {url: postgres://db1/shop, user: ann, pool: {mode: session}, timeouts: {cancel: "
      "10s}}\n"
      "  notes: {url: sqlite:///n.db, create: false}\n";
  EXPECT_EQ(differences_text(good(kSample), good(more)),
            "workers: auto -> 3 (restart)\n"
            "log.level: info -> debug\n"
            "http.address: none -> 127.0.0.1:9930 (restart)\n"
            "listeners: - redis 127.0.0.1:6380\n"
            "listeners: + postgres 127.0.0.1:6433\n"
            "hosts.\"db1:5432\".max_server_connections: 50 -> 51\n"
            "users.ann.password: changed\n"
            "users.ann.pool.size: 5 -> 6\n"
            "users.bob.timeouts.query: none -> 2s\n"
            "users.eve.timeouts.query: 1s -> none\n"
            "users.fred: removed\n"
            "users.gus: added\n"
            "defaults.timeouts.cancel: 10s -> 3s\n"
            "databases.\"*\": removed\n"
            "databases.app.url: postgres://db1:5432/app -> postgres://db2:5432/app\n"
            "databases.app.timeouts.cancel: 10s -> 3s\n"
            "databases.cache: removed\n"
            "databases.notes.create: true -> false\n"
            "databases.notes.timeouts.cancel: 10s -> 3s\n");
}

}  // namespace
}  // namespace weir::config
