// Configurations without a file.
#include "sample.h"

namespace weir::config {
namespace {

Loaded from(const std::vector<std::string>& databases,
            const std::vector<std::string>& listeners = {}) {
  Pieces pieces;
  for (const auto& text : databases) pieces.databases.push_back({"--database", text});
  for (const auto& text : listeners) pieces.listeners.push_back({"--listen", text});
  return from_pieces(pieces, sample_surroundings());
}

std::string listeners_of(const Config& config) {
  std::string out;
  for (const Listener& one : config.listeners) {
    out += one.protocol + ' ' + one.address.text() +
           (one.database.empty() ? "" : " -> " + one.database) + '\n';
  }
  return out;
}

TEST(Pieces, OneDatabase) {
  const Loaded loaded = from({"app=postgres://ann:pw@db1,db2:6/main"});
  ASSERT_TRUE(loaded) << loaded.report();
  const Config& config = loaded.config;
  EXPECT_EQ(listeners_of(config), "postgres 127.0.0.1:6432\n");
  EXPECT_EQ(config.auth.method, AuthMethod::ScramSha256);
  EXPECT_EQ(config.users.at("ann").password.reveal(), "pw");
  const Database& app = config.databases.at("app");
  EXPECT_EQ(app.user, "ann");
  EXPECT_EQ(app.password.reveal(), "pw");
  EXPECT_EQ(app.url.hosts.size(), 2u);
  EXPECT_EQ(app.pool, PoolOptions());
  EXPECT_FALSE(config.http.address);
}

TEST(Pieces, WhereALoginHasAPasswordOneIsWanted) {
  EXPECT_TRUE(from({"sales=mssql://ann:pw@h/sales"}));
  EXPECT_EQ(from({"sales=mssql://h/sales"}).report(),
            "--database: sales: expected user:password@ in the URL: these servers let nobody in "
            "without");
  EXPECT_EQ(from({"sales=mssql://ann@h/sales"}).report(),
            "--database: databases.sales.password: expected to be given, as weir logs in as ann, "
            "whose password is not under users either");
}

TEST(Pieces, SeveralProtocols) {
  const Loaded loaded = from({"app=postgres://ann:pw@h/app", "cache=redis://:pw2@h/2",
                              "notes=sqlite://bob:pw3@/tmp/notes.db"});
  ASSERT_TRUE(loaded) << loaded.report();
  EXPECT_EQ(listeners_of(loaded.config),
            "postgres 127.0.0.1:6432\nredis 127.0.0.1:6380 -> cache\n");
  EXPECT_EQ(loaded.config.users.at("default").password.reveal(), "pw2");
  EXPECT_EQ(loaded.config.users.at("bob").password.reveal(), "pw3");
  EXPECT_EQ(loaded.config.databases.at("notes").user, "");
}

// Who demanded TLS there got none, or what is usual.
TEST(Pieces, TlsAsTheUrlSays) {
  const Loaded loaded = from(
      {"app=postgres://ann:pw@h/app?sslmode=allow", "cache=redis://:pw@h", "safe=rediss://:pw@h"},
      {"postgres:127.0.0.1:1"});
  ASSERT_TRUE(loaded) << loaded.report();
  const auto mode = [&](const char* name) { return loaded.config.databases.at(name).tls.mode; };
  EXPECT_EQ(mode("app"), TlsMode::Allow);
  EXPECT_EQ(mode("cache"), TlsMode::Disable);
  EXPECT_EQ(mode("safe"), TlsMode::VerifyFull);
}

TEST(Pieces, ListenersReplaceTheUsualOnes) {
  const Loaded loaded =
      from({"app=postgres://ann:pw@h/app"}, {"postgres:0.0.0.0:1", "postgres:unix:/tmp/s"});
  ASSERT_TRUE(loaded) << loaded.report();
  EXPECT_EQ(listeners_of(loaded.config), "postgres 0.0.0.0:1\npostgres unix:/tmp/s\n");
}

TEST(Pieces, WithoutPasswordsOnlyLocally) {
  const Loaded local = from({"app=postgres://ann@h/app", "cache=redis://h"});
  ASSERT_TRUE(local) << local.report();
  EXPECT_EQ(local.config.auth.method, AuthMethod::Trust);
  EXPECT_EQ(from({"app=postgres://ann@h/app"}, {"postgres:0.0.0.0:6432"}).report(),
            "--database: app: expected user:password@ in the URL: without a password, clients are "
            "let in on local addresses only");
  EXPECT_EQ(from({"app=postgres://ann@h/app", "b=postgres://bob:x@h/b"}).report(),
            "--database: app: expected user:password@ in the URL, as in the others");
}

TEST(Pieces, Errors) {
  EXPECT_EQ(from({"app"}).report(), "--database: expected NAME=URL");
  EXPECT_EQ(from({"=postgres://a:b@h/x"}).report(), "--database: expected NAME=URL");
  EXPECT_EQ(from({"app=http://h/x"}).report(),
            "--database: app: unknown scheme; expected a URL, one of: postgres://, postgresql://, "
            "redis://, rediss://, mssql://, sqlserver://, sqlite://");
  EXPECT_EQ(from({"a=postgres://u:p@h/x", "a=postgres://u:p@h/y"}).report(),
            "--database: databases.a: given before, at --database");
  EXPECT_EQ(from({"a=postgres://u:p@h/x", "b=postgres://u:q@h/y"}).report(),
            "--database: b: the user u has another password in another URL");
  EXPECT_EQ(from({"weir=postgres://u:p@h/x"}).report(),
            "--database: databases.weir: this name is the console's");
  EXPECT_EQ(from({"a=postgres://u:p@h/x"}, {"6432"}).report(),
            "--listen: expected PROTOCOL:ADDRESS");
  EXPECT_EQ(from({"a=postgres://u:p@h/x"}, {"mysql:h:1"}).report(),
            "--listen: expected PROTOCOL:ADDRESS, with one of these protocols: postgres, "
            "redis, tds");
  EXPECT_EQ(from({"a=postgres://u:p@h/x"}, {"postgres:h"}).report(),
            "--listen: expected an address: host:port, [v6]:port, unix:/path or unix:@name");
  EXPECT_EQ(from({"a=postgres://u:p@h/x"}, {"redis:h:1"}).report(),
            "--listen: listeners[0]: there is no redis database for its clients");
  EXPECT_EQ(from({}, {"postgres:h:1"}).report(),
            "the command line: databases: expected at least one database");
}

TEST(Pieces, OfTheEnvironment) {
  const char* const environment[] = {"HOME=/root", "WEIR_DATABASE_MY_APP=postgres://a:b=c@h/x",
                                     "WEIR_DATABASE_B=redis://h", "WEIR_CONFIG=x", nullptr};
  const auto pieces = database_pieces(environment);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].origin, "$WEIR_DATABASE_B");
  EXPECT_EQ(pieces[0].text, "b=redis://h");
  EXPECT_EQ(pieces[1].origin, "$WEIR_DATABASE_MY_APP");
  EXPECT_EQ(pieces[1].text, "my_app=postgres://a:b=c@h/x");
  EXPECT_TRUE(database_pieces(nullptr).empty());
}

TEST(Pieces, TheDemo) {
  const Loaded loaded = demo("/tmp/demo.db", sample_surroundings());
  ASSERT_TRUE(loaded) << loaded.report();
  const Config& config = loaded.config;
  EXPECT_EQ(listeners_of(config), "postgres 127.0.0.1:6432\n");
  EXPECT_EQ(config.http.address->text(), "127.0.0.1:9930");
  EXPECT_EQ(config.users.at("demo").password.reveal(), "demo");
  EXPECT_EQ(config.admin.users, std::vector<std::string>{"demo"});
  EXPECT_EQ(config.databases.at("demo").protocol, "sqlite");
  EXPECT_EQ(config.databases.at("demo").url.path, "/tmp/demo.db");
  EXPECT_EQ(config.auth.method, AuthMethod::ScramSha256);
}

}  // namespace
}  // namespace weir::config
