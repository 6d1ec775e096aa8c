// User over database over defaults; caps all apply and the smallest wins.
#include "sample.h"

namespace weir::config {
namespace {

Config config_with(const std::string& defaults, const std::string& database,
                   const std::string& user) {
  return good(
      "listeners: [{protocol: postgres, address: \"h:1\"}]\n"
      "defaults: {" +
      defaults +
      "}\n"
      "databases: {app: {url: \"postgres://db1,db2/app\"" +
      (database.empty() ? "" : ", " + database) +
      "}}\n"
      "users: {ann: {" +
      user + "}, bob: {}}\n");
}

struct Row {
  const char* defaults;
  const char* database;
  const char* user;
  int size;
  Origin origin;
};

TEST(Precedence, OfSize) {
  const Row rows[] = {
      {"", "", "", 20, Origin::BuiltIn},
      {"pool: {size: 3}", "", "", 3, Origin::Defaults},
      {"", "pool: {size: 4}", "", 4, Origin::Database},
      {"pool: {size: 3}", "pool: {size: 4}", "", 4, Origin::Database},
      {"", "", "pool: {size: 5}", 5, Origin::User},
      {"pool: {size: 3}", "", "pool: {size: 5}", 5, Origin::User},
      {"", "pool: {size: 4}", "pool: {size: 5}", 5, Origin::User},
      {"pool: {size: 3}", "pool: {size: 4}", "pool: {size: 5}", 5, Origin::User},
      {"pool: {size: 3}", "pool: {size: 20}", "", 20, Origin::Database},  // the built-in, but said
  };
  for (const Row& row : rows) {
    const Config config = config_with(row.defaults, row.database, row.user);
    const Effective ann = effective(config, config.databases.at("app"), "ann");
    EXPECT_EQ(ann.pool.size, row.size) << row.defaults << row.database << row.user;
    EXPECT_EQ(ann.origins.at("pool.size"), row.origin);
    EXPECT_EQ(ann.server_user, "ann");
  }
}

TEST(Precedence, OfModeAndTimeouts) {
  const Config config =
      config_with("pool: {mode: session, min: 2}, timeouts: {query: 1s, client_idle: 9s}",
                  "pool: {mode: statement}, timeouts: {query: 2s, transaction: 5s}",
                  "pool: {mode: transaction}, timeouts: {query: 3s}");
  const Database& app = config.databases.at("app");
  const Effective ann = effective(config, app, "ann");
  EXPECT_EQ(ann.pool.mode, PoolMode::Transaction);
  EXPECT_EQ(ann.timeouts.query, 3 * kSecond);
  EXPECT_EQ(ann.origins.at("timeouts.query"), Origin::User);
  EXPECT_EQ(ann.timeouts.transaction, 5 * kSecond);
  EXPECT_EQ(ann.origins.at("timeouts.transaction"), Origin::Database);
  EXPECT_EQ(ann.timeouts.client_idle, 9 * kSecond);
  EXPECT_EQ(ann.origins.at("timeouts.client_idle"), Origin::Defaults);
  EXPECT_EQ(ann.timeouts.cancel, 10 * kSecond);
  EXPECT_EQ(ann.origins.at("timeouts.cancel"), Origin::BuiltIn);
  EXPECT_EQ(ann.pool.min, 2);
  EXPECT_EQ(ann.origins.at("pool.min"), Origin::Defaults);
  for (const char* other : {"bob", "nobody"}) {
    const Effective their = effective(config, app, other);
    EXPECT_EQ(their.pool.mode, PoolMode::Statement);
    EXPECT_EQ(their.timeouts.query, 2 * kSecond);
  }
}

TEST(Precedence, AnOptionOfZeroOverridesToo) {
  const Config config = config_with("timeouts: {query: 1s}", "timeouts: {query: 0}", "");
  EXPECT_EQ(effective(config, config.databases.at("app"), "ann").timeouts.query, 0);
}

TEST(Precedence, NestedOptionsAreInheritedOneByOne) {
  const Config config = config_with("pool: {retry: {min: 1s}}", "pool: {retry: {max: 4s}}", "");
  const PoolOptions& pool = config.databases.at("app").pool;
  EXPECT_EQ(pool.retry.min, kSecond);
  EXPECT_EQ(pool.retry.max, 4 * kSecond);
}

TEST(Precedence, ASharedPoolHasTheSizeOfItsServerUser) {
  const Config config = config_with("", "user: bob", "pool: {size: 5}");
  const Effective ann = effective(config, config.databases.at("app"), "ann");
  EXPECT_EQ(ann.server_user, "bob");
  EXPECT_EQ(ann.pool.size, 20);
  const Config other = config_with("", "user: ann, pool: {min: 9}", "pool: {size: 5}");
  const Effective bob = effective(other, other.databases.at("app"), "bob");
  EXPECT_EQ(bob.pool.size, 5);
  EXPECT_EQ(bob.pool.min, 5);  // never more than the size
}

TEST(Precedence, TheSmallestCapWins) {
  EXPECT_EQ(smallest_limit({}), 0);
  EXPECT_EQ(smallest_limit({0, 0}), 0);
  EXPECT_EQ(smallest_limit({0, 7, 3, 0, 5}), 3);
  const auto worst = [](const std::string& database, const std::string& user,
                        const std::string& hosts) {
    const Config config = good(
        "listeners: [{protocol: postgres, address: \"h:1\"}]\n"
        "databases: {app: {url: \"postgres://db1,db2/app\"" +
        database +
        "}}\n"
        "users: {ann: {" +
        user + "}}\nhosts: {" + hosts + "}\n");
    const Effective ann = effective(config, config.databases.at("app"), "ann");
    return std::to_string(ann.servers_max) + ' ' + ann.servers_max_by;
  };
  EXPECT_EQ(worst("", "", ""), "20 pool.size");
  EXPECT_EQ(worst(", pool: {overflow: 5}", "", ""), "25 pool.size + pool.overflow");
  EXPECT_EQ(worst(", pool: {max_server_connections: 12}", "", ""),
            "12 pool.max_server_connections");
  EXPECT_EQ(worst(", pool: {max_server_connections: 12}", "max_server_connections: 9", ""),
            "9 users.ann.max_server_connections");
  const std::string one = "\"db1:5432\": {max_server_connections: 2}";
  const std::string both = one + ", \"db2:5432\": {max_server_connections: 3}";
  // A server counts against all hosts of its database: the caps used to be added up.
  const std::string first = "2 hosts.\"db1:5432\".max_server_connections";
  EXPECT_EQ(worst("", "max_server_connections: 9", both), first);
  EXPECT_EQ(worst("", "max_server_connections: 9", one), first);
}

}  // namespace
}  // namespace weir::config
