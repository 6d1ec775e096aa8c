// What is different where SQL Server is concerned: words of tls.mode, modes of pools, ways to log
// in, URLs.
#include <sstream>

#include "sample.h"

namespace weir::config {
namespace {

// A listener on line 1, a database on line 3.
Loaded with(const std::string& listener, const std::string& database,
            const std::string& rest = "") {
  return load_sample("listeners: [{protocol: tds, address: \"h:1\"" + listener +
                     "}]\ndatabases:\n  sales: {url: \"mssql://h/sales\"" + database + "}\n" +
                     rest);
}

std::string certificate() { return std::filesystem::path(__FILE__); }

std::string listens(const std::string& mode) {
  return ", tls: {mode: " + mode + ", cert: " + certificate() + ", key: " + certificate() + "}";
}

const std::string kModes[] = {"disable", "login",  "allow",     "prefer",
                              "require", "strict", "verify-ca", "verify-full"};

TEST(Tds, WordsOfTlsForClients) {
  const std::map<std::string, TlsMode> possible{{"disable", TlsMode::Disable},
                                                {"login", TlsMode::Login},
                                                {"prefer", TlsMode::Prefer},
                                                {"require", TlsMode::Require},
                                                {"strict", TlsMode::Strict}};
  for (const std::string& mode : kModes) {
    const Loaded loaded = with(listens(mode), "");
    if (const auto found = possible.find(mode); found != possible.end()) {
      ASSERT_TRUE(loaded) << loaded.report();
      EXPECT_EQ(loaded.config.listeners.at(0).tls.mode, found->second);
    } else {
      EXPECT_NE(problems_of(loaded).find(
                    "1:57: listeners[0].tls.mode: expected one of disable, login, prefer, require, "
                    "strict for clients of tds\n"),
                std::string::npos)
          << loaded.report();
    }
  }
  EXPECT_EQ(with("", "").config.listeners.at(0).tls.mode, TlsMode::Disable);
  EXPECT_EQ(problems_of(with(", tls: {mode: login}", "")),
            "1:13: listeners[0].tls.cert: expected to be given, as mode is not disable\n");
}

TEST(Tds, WordsOfTlsForServers) {
  const std::map<std::string, TlsMode> possible{
      {"disable", TlsMode::Disable},    {"prefer", TlsMode::Prefer},
      {"require", TlsMode::Require},    {"strict", TlsMode::Strict},
      {"verify-ca", TlsMode::VerifyCa}, {"verify-full", TlsMode::VerifyFull}};
  for (const std::string& mode : kModes) {
    const Loaded loaded = with("", ", tls: {mode: " + mode + "}");
    if (const auto found = possible.find(mode); found != possible.end()) {
      ASSERT_TRUE(loaded) << loaded.report();
      EXPECT_EQ(loaded.config.databases.at("sales").tls.mode, found->second);
    } else {
      EXPECT_EQ(problems_of(loaded),
                "3:47: databases.sales.tls.mode: expected one of disable, prefer, require, strict, "
                "verify-ca, verify-full for a tds database\n");
    }
  }
  EXPECT_EQ(with("", "").config.databases.at("sales").tls.mode, TlsMode::Prefer);
  EXPECT_EQ(problems_of(with("", ", tls: {negotiation: direct}")),
            "3:54: databases.sales.tls.negotiation: not an option of a tds database\n");
}

TEST(Tds, ItsWordsOfTlsAreNobodyElses) {
  const std::string usual = "disable, allow, prefer, require, verify-ca, verify-full";
  for (const char* mode : {"login", "strict"}) {
    const std::string tls = "tls: {mode: " + std::string(mode);
    const Loaded postgres =
        load_sample("listeners: [{protocol: postgres, address: \"h:1\", " + tls +
                    ", cert: " + certificate() + ", key: " + certificate() + "}}]\ndatabases:\n" +
                    "  app: {url: postgres://h/app, " + tls + "}}\n");
    EXPECT_EQ(problems_of(postgres),
              "1:62: listeners[0].tls.mode: expected one of " + usual +
                  " for clients of postgres\n3:44: databases.app.tls.mode: expected one of " +
                  usual + " for a postgres database\n");
    const Loaded redis =
        load_sample("listeners: [{protocol: redis, address: \"h:1\"}]\ndatabases:\n" +
                    std::string("  c: {url: redis://h, ") + tls + "}}\n");
    EXPECT_EQ(problems_of(redis),
              "3:35: databases.c.tls.mode: expected disable, require, verify-ca or verify-full, as "
              "redis servers cannot be asked whether they speak TLS\n");
  }
}

TEST(Tds, PoolsAreForSessionsUnlessSomethingIsSaid) {
  const auto mode = [](const Loaded& loaded) {
    EXPECT_TRUE(loaded) << loaded.report();
    return loaded.config.databases.at("sales").pool.mode;
  };
  EXPECT_EQ(mode(with("", "")), PoolMode::Session);
  EXPECT_EQ(mode(with("", "", "defaults: {pool: {size: 3}}\n")), PoolMode::Session);
  EXPECT_EQ(mode(with("", "", "defaults: {pool: {mode: transaction}}\n")), PoolMode::Transaction);
  EXPECT_EQ(mode(with("", ", pool: {mode: transaction}")), PoolMode::Transaction);
  EXPECT_EQ(mode(with("", ", pool: {mode: session}", "defaults: {pool: {mode: statement}}\n")),
            PoolMode::Session);
  const Loaded of_user = with("", "", "users: {ann: {pool: {mode: transaction}}}\n");
  const Database& sales = of_user.config.databases.at("sales");
  EXPECT_EQ(effective(of_user.config, sales, "ann").pool.mode, PoolMode::Transaction);
  const Effective others = effective(of_user.config, sales, "bob");
  EXPECT_EQ(others.pool.mode, PoolMode::Session);
  EXPECT_EQ(others.origins.at("pool.mode"), Origin::BuiltIn);
}

TEST(Tds, HasNoStatementMode) {
  const std::string lacks = "a tds database has no statement mode";
  EXPECT_EQ(
      problems_of(with("", ", pool: {mode: statement}")),
      "3:48: databases.sales.pool.mode: expected one of session, transaction: " + lacks + "\n");
  EXPECT_EQ(problems_of(with("", "", "defaults: {pool: {mode: statement}}\n")),
            "3:3: databases.sales.pool.mode: expected to be given, one of session, transaction: " +
                lacks + ", as defaults have it\n");
  EXPECT_EQ(problems_of(with("", "", "users: {ann: {pool: {mode: statement}}}\n")),
            "4:28: users.ann.pool.mode: expected one of session, transaction: " + lacks +
                ", and there is databases.sales\n");
  EXPECT_TRUE(load_sample(kRest + "users: {ann: {pool: {mode: statement}}}\n"));
}

TEST(Tds, WaysToLogIn) {
  for (const char* method : {"trust", "plain", "passthrough"})
    EXPECT_TRUE(with(", auth: {method: " + std::string(method) + "}", "")) << method;
  EXPECT_EQ(problems_of(with(", auth: {method: ldap}", "")),
            "0:0: auth.ldap.url: expected to be given, as clients log in by it\n");
  const std::string possible = "trust, plain, scram-sha-256, ldap, passthrough\n";
  for (const std::string method : {"cert", "hba", "peer"}) {
    EXPECT_EQ(problems_of(with(", auth: {method: " + method + "}", "")),
              "1:60: listeners[0].auth.method: " + method +
                  " is not for clients of tds; expected one of " + possible);
    EXPECT_EQ(problems_of(with("}, {protocol: tds, address: \"h:2\"", "",
                               "auth: {method: " + method + "}\n")),
              "4:16: auth.method: " + method +
                  " is not for clients of tds, whose listeners need one of their own: " + possible);
  }
}

// Whoever comes by it may reach any database that no other protocol's clients have.
TEST(Tds, PassingThroughConcernsAllDatabasesOfTheListener) {
  const std::string listener = ", auth: {method: passthrough}";
  EXPECT_EQ(problems_of(with(listener, ", user: bob",
                             "  crm: {url: \"mssql://:x@h/crm\"}\n"
                             "  app: {url: postgres://h/app, user: app}\n")),
            "3:41: databases.sales.user: expected no user, as its clients log in to its servers "
            "themselves (passthrough)\n"
            "4:14: databases.crm.url: expected no password, as its clients log in to its servers "
            "themselves (passthrough)\n");
  EXPECT_TRUE(with(listener + ", database: sales", "", "  crm: {url: \"mssql://ann:x@h/crm\"}\n"));
}

TEST(Tds, AListenerForAnyDatabaseNamesNone) {
  EXPECT_EQ(problems_of(with(", database: \"*\"", "", "  \"*\": {url: \"mssql://h\"}\n")),
            "1:55: listeners[0].database: expected the name of one database; without it, clients "
            "name theirs\n");
}

TEST(Tds, TheUsersPasswordIsTheServers) {
  EXPECT_TRUE(with("", ", user: bob", "users: {bob: {password: b}}\n"));
  EXPECT_TRUE(with("", ", user: bob, password: b"));
  EXPECT_FALSE(with("", ", user: bob", "users: {bob: {max_server_connections: 3}}\n"));
}

TEST(Tds, Urls) {
  const auto tls = [](const std::string& url, const std::string& options = "") {
    const Loaded loaded =
        load_sample("listeners: [{protocol: tds, address: \"h:1\"}]\ndatabases: {sales: {url: \"" +
                    url + "\"" + options + "}}\n");
    EXPECT_TRUE(loaded) << loaded.report();
    return loaded.config.databases.at("sales").tls.mode;
  };
  EXPECT_EQ(tls("sqlserver://h/x?encrypt=true"), TlsMode::Require);
  EXPECT_EQ(tls("mssql://h/x?encrypt=strict"), TlsMode::Strict);
  EXPECT_EQ(tls("mssql://h/x?encrypt=false"), TlsMode::Prefer);
  EXPECT_EQ(tls("mssql://h/x?encrypt=disable"), TlsMode::Disable);
  EXPECT_EQ(tls("mssql://h/x?encrypt=disable", ", tls: {mode: verify-full}"), TlsMode::VerifyFull);
  const Loaded loaded = with("", "", "  crm: {url: \"sqlserver://ann:x@h?database=crm\"}\n");
  ASSERT_TRUE(loaded) << loaded.report();
  const Database& crm = loaded.config.databases.at("crm");
  EXPECT_EQ(crm.url.path, "crm");
  EXPECT_EQ(crm.url.hosts, (std::vector<Host>{{"h", 1433}}));
  EXPECT_EQ(crm.user, "ann");
  EXPECT_EQ(crm.protocol, "tds");
  EXPECT_EQ(crm.clients, "tds");
  EXPECT_EQ(problems_of(with("", "", "  crm: {url: \"mssql://h/x?encrypt=maybe\"}\n")),
            "4:14: databases.crm.url: expected encrypt= in the URL to be one of: true, strict, "
            "false, disable\n");
}

TEST(Tds, WithoutAFile) {
  const Loaded loaded =
      from_pieces({.databases = {{"--database", "sales=mssql://weir:pw@h/sales"}}, .listeners = {}},
                  sample_surroundings());
  ASSERT_TRUE(loaded) << loaded.report();
  ASSERT_EQ(loaded.config.listeners.size(), 1u);
  EXPECT_EQ(loaded.config.listeners[0].protocol, "tds");
  EXPECT_EQ(loaded.config.listeners[0].address.text(), "127.0.0.1:14330");
  EXPECT_EQ(loaded.config.listeners[0].database, "");
  const Database& sales = loaded.config.databases.at("sales");
  EXPECT_EQ(sales.clients, "tds");
  EXPECT_EQ(sales.pool.mode, PoolMode::Session);
}

std::string worst(const std::string& listener, const std::string& rest) {
  const Loaded loaded = with(listener, "", rest);
  EXPECT_TRUE(loaded) << loaded.report();
  std::ostringstream out;
  print_check(loaded.config, out);
  const std::string text = out.str(), title = "at worst, by database\n";
  const size_t at = text.find(title) + title.size();
  return text.substr(at, text.find("\nserver connections", at) - at);
}

TEST(Tds, WorstCases) {
  const std::string ldap = "auth: {ldap: {url: \"ldap://h\", base_dn: x}}\n";
  const std::string ann = "users: {ann: {password: a}}\n";
  EXPECT_EQ(worst(", auth: {method: plain}", ann), "  sales  20, no cap");
  EXPECT_EQ(worst(", auth: {method: trust}", ann),
            "  sales  20 and 20 for each user who needs no secret here, no cap");
  EXPECT_EQ(worst(", auth: {method: ldap}", ann + ldap),
            "  sales  20 and 20 for each user who needs no secret here, no cap");
  EXPECT_EQ(worst(", auth: {method: passthrough}", ann),
            "  sales  20 and 20 for each user whom a server lets in, no cap");
  // Users that auth.query finds are PostgreSQL's.
  EXPECT_EQ(worst("}, {protocol: postgres, address: \"h:2\", database: app",
                  "  app: {url: postgres://h/app, user: ann}\n" + ann +
                      "auth: {query: {database: app, user: ann}}\n"),
            "  app  22, no cap\n  sales  20, no cap");
}

}  // namespace
}  // namespace weir::config
