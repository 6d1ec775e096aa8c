// Single values, and the agreement of the table's defaults with those of the structs.
#include <fstream>

#include "config/options.h"
#include "config/url.h"
#include "sample.h"

namespace weir::config {
namespace {

TEST(Values, Durations) {
  const std::pair<const char*, Duration> good_ones[] = {{"0", 0},
                                                        {"250ms", 250 * kMillisecond},
                                                        {"30s", 30 * kSecond},
                                                        {"10m", 10 * kMinute},
                                                        {"1h", kHour},
                                                        {"0s", 0},
                                                        {"90s", 90 * kSecond},
                                                        {"8760h", 8760 * kHour}};
  for (const auto& [text, value] : good_ones) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed.value(), value) << text;
  }
  for (const char* text : {"", "30", "s", "-1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1d", "1us",
                           "8761h", "99999999999999999999s", "0x1s", "1m30s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  EXPECT_EQ(show_duration(90 * kSecond), "90s");
  EXPECT_EQ(show_duration(2 * kHour), "2h");
  EXPECT_EQ(show_duration(250 * kMillisecond), "250ms");
  EXPECT_EQ(show_duration(0), "0");
}

TEST(Values, Sizes) {
  const std::pair<const char*, size_t> good_ones[] = {
      {"0", 0}, {"1024", 1024}, {"64KiB", 65536}, {"1MiB", 1 << 20}, {"2GiB", size_t{2} << 30}};
  for (const auto& [text, value] : good_ones) {
    const auto parsed = parse_size(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed.value(), value) << text;
  }
  for (const char* text : {"", "KiB", "-1", "1KB", "1k", "64 KiB", "1.5MiB", "9999999999GiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Values, Addresses) {
  for (const char* text : {"127.0.0.1:6432", "localhost:1", "[::1]:6432", "[fe80::1%eth0]:5",
                           "0.0.0.0:65535", "unix:/run/weir/.s.PGSQL.6432", "unix:@weir"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address.value().text(), text);
  }
  for (const char* text :
       {"", "6432", ":6432", "host", "host:", "host:0", "host:65536", "::1:5", "[::1]",
        "[::1]:", "[]:5", "[host]:5", "unix:", "unix:x", "unix:@", "a b:5", "tcp://h:5", "h:5/x"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
  EXPECT_FALSE(parse_address("unix:/" + std::string(107, 'x')));
  EXPECT_TRUE(parse_address("127.0.0.1:1").value().is_local());
  EXPECT_TRUE(parse_address("unix:/x").value().is_local());
  EXPECT_FALSE(parse_address("0.0.0.0:1").value().is_local());
}

// The default that the table names has to be that of the struct, read as a file would be.
template <class Owner>
void expect_same_defaults(std::span<const Option<Owner>> table) {
  const Surroundings around = sample_surroundings();
  for (const Option<Owner>& option : table) {
    if (!option.field.takes || option.fallback.empty() || option.name == "include") continue;
    Reading reading(around);
    const size_t source = reading.add_source("table", option.fallback);
    Owner fresh;
    option.field.read(reading, reading.top(YAML::Load(std::string(option.fallback)), source),
                      fresh);
    EXPECT_TRUE(reading.clean()) << option.name;
    EXPECT_TRUE(option.field.same(fresh, Owner())) << option.name << ": " << option.fallback;
    EXPECT_FALSE(option.meaning.empty()) << option.name;
  }
}

TEST(Values, DefaultsOfTheTableAreThoseOfTheStructs) {
  expect_same_defaults(top_options());
  expect_same_defaults(listener_options());
  expect_same_defaults(user_options());
  expect_same_defaults(host_options());
  expect_same_defaults(database_options());
  expect_same_defaults(pool_options());
  expect_same_defaults(timeout_options());
}

TEST(Values, AWholeFile) {
  const Config config = good(
      "workers: 3\n"
      "log: {level: warn, format: json, file: /var/log/weir.log, slow_query: 0}\n"
      "shutdown_timeout: 5s\n"
      "max_clients: \"${SIZE}\"\n"
      "tcp: {keepalive: no, keepalive_idle: 5s, user_timeout: 1m, backlog: 9}\n"
      "limits: {statement_bytes: 1MiB, login_bytes: 2KiB}\n"
      "listeners:\n"
      "  - {protocol: postgres, address: 127.0.0.1:6432}\n"
      "  - {protocol: postgres, address: \"unix:/run/w\", mode: \"0770\", group: dba}\n"
      "  - {protocol: redis, address: \"[::1]:6380\"}\n"
      "http: {address: 127.0.0.1:9930}\n"
      "admin: {socket: \"unix:@weir\", users: [ops, root], stats_users: [m]}\n"
      "auth: {method: md5, scram_iterations: 5000}\n"
      "users: {app: {password: 1234, pool: {size: 5}, max_client_connections: 8}}\n"
      "hosts: {\"db1:5432\": {max_server_connections: 90}}\n"
      "databases:\n"
      "  app:\n"
      "    url: postgres://u:p%40@db1,db2:6000/main\n"
      "    settings: {search_path: app}\n"
      "  notes: {url: \"sqlite:///tmp/n.db\", create: false, durability: full}\n"
      "  cache: {url: \"redis://c/3\", lanes: 4}\n"
      "  \"*\": {url: \"postgres://db2\"}\n");
  EXPECT_EQ(config.workers, 3);
  EXPECT_EQ(config.log.level, base::LogLevel::Warn);
  EXPECT_EQ(config.log.format, LogFormat::Json);
  EXPECT_EQ(config.log.slow_query, 0);
  EXPECT_EQ(config.max_clients, 7);
  EXPECT_FALSE(config.tcp.keepalive);
  EXPECT_EQ(config.tcp.user_timeout, kMinute);
  EXPECT_EQ(config.limits.statement_bytes, size_t{1} << 20);
  ASSERT_EQ(config.listeners.size(), 3u);
  EXPECT_EQ(config.listeners[1].mode, 0770u);
  EXPECT_EQ(config.listeners[1].group, "dba");
  EXPECT_EQ(config.listeners[2].database, "cache");  // the only one that redis clients can mean
  EXPECT_EQ(config.http.address->text(), "127.0.0.1:9930");
  EXPECT_EQ(config.admin.socket->text(), "unix:@weir");
  EXPECT_EQ(config.admin.users, (std::vector<std::string>{"ops", "root"}));
  EXPECT_EQ(config.auth.method, AuthMethod::Md5);
  EXPECT_EQ(config.users.at("app").password.reveal(), "1234");
  EXPECT_EQ(config.users.at("app").max_client_connections, 8);
  EXPECT_EQ(config.hosts.at("db1:5432").max_server_connections, 90);
  const Database& app = config.databases.at("app");
  EXPECT_EQ(app.protocol, "postgres");
  EXPECT_EQ(app.user, "u");
  EXPECT_EQ(app.password.reveal(), "p@");
  EXPECT_EQ(app.url.hosts, (std::vector<Host>{{"db1", 5432}, {"db2", 6000}}));
  EXPECT_EQ(app.url.path, "main");
  EXPECT_EQ(app.settings.at("search_path"), "app");
  EXPECT_EQ(config.databases.at("notes").url.path, "/tmp/n.db");
  EXPECT_FALSE(config.databases.at("notes").create);
  EXPECT_EQ(config.databases.at("notes").durability, Durability::Full);
  EXPECT_EQ(config.databases.at("cache").url.path, "3");
  EXPECT_EQ(config.databases.at("cache").lanes, 4);
  EXPECT_EQ(config.database("anything")->name, "*");
  EXPECT_EQ(config.database("app")->name, "app");
  EXPECT_EQ(config.user("nobody"), nullptr);
}

struct UrlCase {
  const char* text;
  const char* shown;  // "" = refused
  const char* user = "";
  const char* password = "";
};

TEST(Values, Urls) {
  const UrlCase cases[] = {
      {"postgres://db1/app", "postgres://db1:5432/app"},
      {"postgresql://db1:6/app", "postgresql://db1:6/app"},
      {"postgres://db1", "postgres://db1:5432"},
      {"postgres://db1/", "postgres://db1:5432"},
      {"postgres://a:b@h1:1,[::1]:2,h3/x", "postgres://h1:1,[::1]:2,h3:5432/x", "a", "b"},
      {"postgres://a%3Ab:c%2F%25@h/x", "postgres://h:5432/x", "a:b", "c/%"},
      {"postgres://a:b@c@h/x", "postgres://h:5432/x", "a", "b@c"},
      {"postgres://%2Frun%2Fpg/x", "postgres:///run/pg:5432/x"},
      {"postgres:///x?host=/run/pg", "postgres:///run/pg:5432/x"},
      {"postgres:///x?host=/run/pg&port=6", "postgres:///run/pg:6/x"},
      {"postgres://ignored/x?host=h1,h2&port=1,2", "postgres://h1:1,h2:2/x"},
      {"postgres://h/x?user=u&password=p%26&dbname=y", "postgres://h:5432/y", "u", "p&"},
      {"postgres://h/x?sslmode=prefer", "postgres://h:5432/x?sslmode=prefer"},
      {"postgres://h/na%20me", "postgres://h:5432/na me"},
      {"redis://h", "redis://h:6379/0"},
      {"redis://:secret@h:1/5", "redis://h:1/5", "", "secret"},
      {"rediss://h/1", "rediss://h:6379/1"},
      {"redis://%2Frun%2Fredis%3A1.sock/2", "redis:///run/redis:1.sock/2"},
      {"redis:///3?host=/run/redis.sock", "redis:///run/redis.sock/3"},
      {"redis://%40redis", "redis://@redis/0"},
      {"sqlite:///var/lib/x.db", "sqlite:///var/lib/x.db"},
      {"sqlite://u:p@/x.db", "sqlite:///x.db", "u", "p"},
      {"", ""},
      {"postgres", ""},
      {"postgres:h/x", ""},
      {"postgres://", ""},
      {"postgres:///x", ""},
      {"postgres://@h/x", ""},
      {"postgres://h:0/x", ""},
      {"postgres://h:x/x", ""},
      {"postgres://h1,/x", ""},
      {"postgres://a b/x", ""},
      {"postgres://h/%zz", ""},
      {"postgres://h/%00", ""},
      {"postgres://h/%4", ""},
      {"postgres://%zz:p@h/x", ""},
      {"postgres://h/x?sslmode=require", ""},
      {"postgres://h/x?nonsense=1", ""},
      {"postgres://h/x?sslmode", ""},
      {"postgres://h/x?sslmode=allow&sslmode=allow", ""},
      {"postgres://h1,h2,h3/x?port=1,2", ""},
      {"postgres://h/x?port=0", ""},
      {"redis://h/x", ""},
      {"redis://h/-1", ""},
      {"sqlite://", ""},
      {"sqlite:///", ""},
      {"sqlite://relative.db", ""},
  };
  for (const UrlCase& one : cases) {
    const auto parsed = parse_url(one.text, sample_surroundings());
    EXPECT_EQ(parsed ? show_url(parsed.value().url) : "", one.shown) << one.text;
    if (!parsed) continue;
    EXPECT_EQ(parsed.value().user, one.user) << one.text;
    EXPECT_EQ(parsed.value().password.reveal(), one.password) << one.text;
  }
}

TEST(Values, Substitution) {
  const Directory directory;
  const std::string secret = directory.write("secret", "from a file\n");
  const auto password = [&](const std::string& text) {
    const Config config = good(kRest + "users: {app: {password: \"" + text + "\"}}\n");
    return config.users.at("app").password.reveal();
  };
  EXPECT_EQ(password("${APP_PASSWORD}"), "from-the-environment");
  EXPECT_EQ(password("a${SIZE}b${SIZE}c"), "a7b7c");
  EXPECT_EQ(password("${EMPTY}"), "");
  EXPECT_EQ(password("${file:" + secret + "}"), "from a file");
  EXPECT_EQ(password("$${SIZE}"), "${SIZE}");
  EXPECT_EQ(password("$$ $SIZE }"), "$$ $SIZE }");
  EXPECT_EQ(good(kRest + "users: {\"${SIZE}\": {}}\n").users.count("${SIZE}"), 1u);  // not in keys
}

}  // namespace
}  // namespace weir::config
