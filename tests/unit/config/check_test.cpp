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
pools
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
  fred  44 for each name, no cap
server connections at worst, by host
  c:6379  22, no cap
  db1:5432  47, within the cap of 50
  db2:5432  22 for each name, no cap
  db9:5432  no database is there; the cap of 5 limits nothing
)");
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
