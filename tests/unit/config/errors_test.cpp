// Every kind of error, with the exact place.
#include "sample.h"

namespace weir::config {
namespace {

struct Case {
  const char* name;
  std::string text;
  std::string problems;
};

const std::string kRedis = "listeners: [{protocol: redis, address: \"h:1\"}]\ndatabases:\n";

const Case kCases[] = {
    {"unknown key at the top", "wrokers: 2\n" + kRest,
     "1:1: wrokers: unknown key; did you mean workers?\n"},
    {"unknown key unlike any other", "zzzzzzzz: 2\n" + kRest, "1:1: zzzzzzzz: unknown key\n"},
    {"unknown key where a password could stand",
     kRest + "users: {u: {pasword: hidden-1}, v: {pwd: hidden-2}}\n",
     "3:13: users.u.pasword: unknown key; did you mean password?\n"
     "3:37: users.v.pwd: unknown key\n"},
    {"a scheme of TLS and a mode without",
     kRedis + "  c: {url: \"rediss://h\", tls: {mode: prefer}}\n",
     "3:38: databases.c.tls.mode: expected require, verify-ca or verify-full, as the url begins "
     "with rediss://\n"},
    {"servers that cannot be asked for TLS",
     kRedis + "  c: {url: \"redis://h\", tls: {mode: prefer}}\n",
     "3:37: databases.c.tls.mode: expected disable, require, verify-ca or verify-full, as redis "
     "servers cannot be asked whether they speak TLS\n"},
    {"options of TLS where there is none",
     kRedis + "  c: {url: \"redis://h\", tls: {server_name: x}}\n",
     "3:3: databases.c.tls.mode: expected to be given, or a url that begins with rediss://\n"},
    {"options of TLS that are PostgreSQL's",
     kRedis + "  c: {url: \"rediss://h\", tls: {negotiation: direct}}\n",
     "3:45: databases.c.tls.negotiation: not an option of a redis database\n"},
    {"logins are passed through to Redis only", kRest + "auth: {method: passthrough}\n",
     "3:16: auth.method: passthrough is not for clients of postgres, whose listeners need one of "
     "their own: trust, plain, md5, scram-sha-256, cert, peer, hba, pam, ldap\n"},
    {"logins that are passed through and a login of weir's own",
     "listeners: [{protocol: redis, address: \"h:1\", auth: {method: passthrough}}]\n"
     "databases: {c: {url: \"redis://h\", user: bob}}\n",
     "2:41: databases.c.user: expected no user, as its clients log in to its servers themselves "
     "(passthrough)\n"},
    {"the same in the URL",
     "listeners: [{protocol: redis, address: \"h:1\", auth: {method: passthrough}}]\n"
     "databases: {c: {url: \"redis://:x@h\"}}\n",
     "2:22: databases.c.url: expected no password, as its clients log in to its servers themselves "
     "(passthrough)\n"},
    {"TLS over a unix socket", kRedis + "  c: {url: \"rediss://%2Frun%2Fr.sock\"}\n",
     "3:12: databases.c.url: expected no unix socket, as TLS is not spoken there\n"},
    {"a directory that is not there", kRest + "auth: {method: ldap}\n",
     "0:0: auth.ldap.url: expected to be given, as clients log in by it\n"},
    {"a directory without a place to look at",
     kRest + "auth: {method: ldap, ldap: {url: \"ldap://h\"}}\n",
     "0:0: auth.ldap.base_dn: expected to be given, as clients are looked for\n"},
    {"a directory that is encrypted twice",
     kRest + "auth: {method: ldap, ldap: {url: \"ldaps://h\", base_dn: x, start_tls: true}}\n",
     "3:70: auth.ldap.start_tls: only for ldap://, as ldaps:// is encrypted anyway\n"},
    {"a URL that is none is said once",
     kRest + "auth: {method: ldap, ldap: {url: \"h\", base_dn: x}}\n",
     "3:34: auth.ldap.url: expected ldap://host[:port], ldaps:// or ldapi://, or several\n"},
    {"a filter that anybody passes", kRest + "auth: {ldap: {filter: \"(uid=*)\"}}\n",
     "3:23: auth.ldap.filter: expected a filter of RFC 4515 with {user} in it\n"},
    {"no directory's URL", kRest + "auth: {ldap: {url: \"http://h\"}}\n",
     "3:20: auth.ldap.url: expected ldap://host[:port], ldaps:// or ldapi://, or several\n"},
    {"unknown key deep", kRest + "defaults:\n  pool:\n    sise: 3\n",
     "5:5: defaults.pool.sise: unknown key; did you mean size?\n"},
    {"unknown key in a nested option", kRest + "defaults: {pool: {retry: {mn: 1s}}}\n",
     "3:27: defaults.pool.retry.mn: unknown key; did you mean min?\n"},
    {"unknown key in a section of the top", kRest + "log: {levle: info}\n",
     "3:7: log.levle: unknown key; did you mean level?\n"},
    {"merge keys are not there", kRest + "log: {<<: {level: info}}\n",
     "3:7: log.\"<<\": unknown key\n"},
    {"an option of a later release", kRest + "defaults: {pool: {track: auto}}\n",
     "3:19: defaults.pool.track: unknown key\n"},
    {"a user has no min", kRest + "users: {app: {pool: {min: 3}}}\n",
     "3:22: users.app.pool.min: unknown key\n"},
    {"not a number", "workers: many\n" + kRest,
     "1:10: workers: expected auto or a whole number between 1 and 256\n"},
    {"no workers", "workers: 0\n" + kRest,
     "1:10: workers: expected auto or a whole number between 1 and 256\n"},
    {"a size of nothing", kRest + "defaults: {pool: {size: 0}}\n",
     "3:25: defaults.pool.size: expected a whole number of at least 1\n"},
    {"a negative number", kRest + "defaults: {pool: {min: -1}}\n",
     "3:24: defaults.pool.min: expected a whole number\n"},
    {"a map where a number belongs", kRest + "defaults: {pool: {size: {a: 1}}}\n",
     "3:25: defaults.pool.size: expected a whole number of at least 1\n"},
    {"a number where a map belongs", kRest + "defaults: {pool: 3}\n",
     "3:18: defaults.pool: expected a map of keys and values\n"},
    {"a map where a list belongs", "listeners: {a: b}\ndatabases: {}\n",
     "1:12: listeners: expected a list\n"},
    {"an option without a value", "workers:\n" + kRest,
     "1:1: workers: expected auto or a whole number between 1 and 256\n"},
    {"a duration without a unit", "shutdown_timeout: 30\n" + kRest,
     "1:19: shutdown_timeout: expected a duration such as 250ms, 30s, 10m or 1h, or 0\n"},
    {"a wait without a deadline", kRest + "defaults: {pool: {connect_timeout: 0}}\n",
     "3:36: defaults.pool.connect_timeout: expected a duration such as 250ms, 30s, 10m or 1h, of "
     "at least 1ms\n"},
    {"a size too large", kRest + "limits: {login_bytes: 1GiB}\n",
     "3:23: limits.login_bytes: expected a size such as 64KiB or 1MiB, between 1KiB and 16MiB\n"},
    {"a word that is not one of those", kRest + "defaults: {pool: {mode: audit}}\n",
     "3:25: defaults.pool.mode: expected one of session, transaction, statement\n"},
    {"a truth", "tcp: {keepalive: 1}\n" + kRest, "1:18: tcp.keepalive: expected true or false\n"},
    {"duplicate key", "workers: 1\nworkers: 2\n" + kRest,
     "2:1: workers: duplicate key, given before on line 1\n"},
    {"duplicate database", kRest + "databases: {b: {url: postgres://h/b}}\n",
     "3:1: databases: duplicate key, given before on line 2\n"},
    {"a list as a key", kRest + "log: {[a]: 1}\n",
     "3:7: log: expected a plain word as key of the map\n"},
    {"not YAML", "workers: [1\nlisteners: 2\n", "2:10: not YAML: end of sequence flow not found\n"},
    {"not a map", "- a\n", "1:1: expected a map of keys and values\n"},
    {"two documents", kRest + "---\nworkers: 2\n",
     "3:1: expected one YAML document, this is the second\n"},
    // YAML::LoadAll() finds documents in this for ever.
    {"something behind a flow map", "{workers: 1}, listeners\n",
     "1:13: expected one YAML document, this is the second\n"},
    {"nothing", "",
     "1:1: listeners: expected at least one listener\n"
     "1:1: databases: expected at least one database\n"},
    {"a variable that is not set", kRest + "users: {app: {password: \"${NO_SUCH}\"}}\n",
     "3:25: users.app.password: the environment variable NO_SUCH is not set\n"},
    {"half a variable", kRest + "users: {app: {password: \"${SIZE\"}}\n",
     "3:25: users.app.password: expected ${NAME} or ${file:/path} (write $${ for ${ itself)\n"},
    {"a file that is not there", kRest + "users: {app: {password: \"${file:/no/such}\"}}\n",
     "3:25: users.app.password: the file /no/such cannot be read: No such file or directory\n"},
    {"a users file that is not there", kRest + "auth: {users_file: /no/such}\n",
     "3:20: auth.users_file: the file /no/such cannot be read: No such file or directory\n"},
    {"an include that is not there", kRest + "include: [/no/such]\n",
     "3:11: include[0]: the file /no/such cannot be read: No such file or directory\n"},
    {"an address without a port",
     "listeners:\n  - {protocol: postgres, address: localhost}\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "2:35: listeners[0].address: expected an address: host:port, [v6]:port, unix:/path or "
     "unix:@name\n"},
    {"a page on a unix socket", "http: {address: \"unix:/x\"}\n" + kRest,
     "1:17: http.address: expected an address: host:port or [v6]:port\n"},
    {"a console on a port", "admin: {socket: 127.0.0.1:1}\n" + kRest,
     "1:17: admin.socket: expected an address: unix:/path or unix:@name\n"},
    {"a protocol that is not one",
     "listeners: [{protocol: mysql, address: \"[::1]:1\"}]\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "1:24: listeners[0].protocol: expected one of: postgres, redis, tds\n"},
    {"a protocol that has no clients",
     "listeners: [{protocol: sqlite, address: \"[::1]:1\"}]\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "1:24: listeners[0].protocol: expected one of: postgres, redis, tds\n"},
    {"half a listener",
     "listeners:\n  - protocol: postgres\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "2:5: listeners[0].address: expected to be given\n"},
    {"a mode of a port",
     "listeners: [{protocol: postgres, address: \"h:1\", mode: \"0770\"}]\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "1:56: listeners[0].mode: only for an address unix:/path\n"},
    {"a mode that is not octal",
     "listeners: [{protocol: postgres, address: \"unix:/x\", mode: \"0888\"}]\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "1:60: listeners[0].mode: expected an octal file mode such as \"0770\"\n"},
    {"two listeners at one place",
     "listeners:\n  - {protocol: postgres, address: \"h:1\"}\n"
     "  - {protocol: postgres, address: \"h:1\"}\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "3:35: listeners[1].address: the address is that of listeners[0].address too\n"},
    {"the page at a listener's place", kRest + "http: {address: 127.0.0.1:6432}\n",
     "3:17: http.address: the address is that of listeners[0].address too\n"},
    {"a listener's database that is not there",
     "listeners: [{protocol: postgres, address: \"h:1\", database: b}]\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "1:60: listeners[0].database: expected the name of a database\n"},
    {"a listener's database of another protocol",
     "listeners: [{protocol: postgres, address: \"h:1\", database: c}]\n"
     "databases: {c: {url: redis://h}}\n",
     "1:60: listeners[0].database: expected a database for clients of postgres\n"},
    {"a redis listener and no database",
     "listeners:\n  - {protocol: redis, address: \"h:1\"}\n"
     "databases: {app: {url: postgres://h/app}}\n",
     "2:5: listeners[0]: there is no redis database for its clients\n"},
    {"a redis listener and two databases",
     "listeners:\n  - {protocol: redis, address: \"h:1\"}\n"
     "databases: {a: {url: redis://h/0}, b: {url: redis://h/1}}\n",
     "2:5: listeners[0].database: expected one of: a, b\n"},
    {"a host without a port", kRest + "hosts: {db1: {max_server_connections: 3}}\n",
     "3:9: hosts.db1: expected \"host:port\", \"[v6]:port\", \"/directory:port\" or \"/socket\" as "
     "key\n"},
    {"min above size", kRest + "defaults: {pool: {size: 3, min: 4}}\n",
     "3:33: defaults.pool.min: expected at most size\n"},
    {"size below an inherited min",
     "defaults: {pool: {min: 4}}\nlisteners: [{protocol: postgres, address: \"h:1\"}]\n"
     "databases:\n  app:\n    url: postgres://h/app\n    pool: {size: 3}\n",
     "6:18: databases.app.pool.size: expected at least min\n"},
    {"a retry that shrinks", kRest + "defaults: {pool: {retry: {min: 20s}}}\n",
     "3:32: defaults.pool.retry.min: expected at most retry.max\n"},
    {"min above the cap", kRest + "defaults: {pool: {min: 4, max_server_connections: 3}}\n",
     "3:24: defaults.pool.min: expected at most max_server_connections\n"},
};

TEST(Errors, EachAtItsPlace) {
  for (const Case& one : kCases) {
    EXPECT_EQ(problems_of(load_sample(one.text)), one.problems) << one.name << '\n' << one.text;
  }
}

std::string with_database(const std::string& body) {
  return "listeners: [{protocol: postgres, address: \"h:1\"}]\ndatabases:\n  app: " + body + "\n";
}

const Case kDatabaseCases[] = {
    {"no url", "{}", "3:3: databases.app.url: expected a URL to be given\n"},
    {"an empty url", "{url: \"\"}",
     "3:14: databases.app.url: expected a URL, one of: postgres://, postgresql://, redis://, "
     "rediss://, mssql://, sqlserver://, sqlite://\n"},
    {"an unknown scheme", "{url: \"mysql://h/app\"}",
     "3:14: databases.app.url: unknown scheme; expected a URL, one of: postgres://, "
     "postgresql://, redis://, rediss://, mssql://, sqlserver://, sqlite://\n"},
    {"a url with a bad port", "{url: \"postgres://h:99999/app\"}",
     "3:14: databases.app.url: expected host, host:port or [v6]:port between the commas of the "
     "URL\n"},
    // Its rest would be taken for a host, and shown.
    {"a password that is not escaped", "{url: \"mssql://sa:p@ss/word@h:1433/sales\"}",
     "3:14: databases.app.url: expected no @ behind the hosts of the URL; in a user or password "
     "write / ? # @ as %2F %3F %23 %40, in a name @ as %40\n"},
    {"one with a question mark", "{url: \"mssql://app:1433,999?x@h/sales\"}",
     "3:14: databases.app.url: expected no @ behind the hosts of the URL; in a user or password "
     "write / ? # @ as %2F %3F %23 %40, in a name @ as %40\n"},
    {"a user without a password", "{url: \"mssql://h/app\", user: bob}",
     "3:3: databases.app.password: expected to be given, as weir logs in as bob, whose password is "
     "not under users either\n"},
    {"a list as url", "{url: [a]}", "3:14: databases.app.url: expected a URL\n"},
    {"an option of another protocol", "{url: \"postgres://h/app\", lanes: 3}",
     "3:41: databases.app.lanes: not an option of a postgres database\n"},
    {"a way to listen that there is not", "{url: \"redis://h/0\", pubsub: share}",
     "3:37: databases.app.pubsub: expected one of hub, pin\n"},
    {"a user of a file", "{url: \"sqlite:///x.db\", user: app}",
     "3:38: databases.app.user: not an option of a sqlite database\n"},
    {"a user in the url of a file", "{url: \"sqlite://app@/x.db\"}",
     "3:14: databases.app.url: expected no user in a URL of sqlite\n"},
    {"a user twice", "{url: \"postgres://a@h/app\", user: b}",
     "3:42: databases.app.user: given before, in the url\n"},
};

TEST(Errors, OfDatabases) {
  for (const Case& one : kDatabaseCases) {
    EXPECT_EQ(problems_of(load_sample(with_database(one.text))), one.problems) << one.name;
  }
}

TEST(Errors, TheConsolesNames) {
  EXPECT_EQ(problems_of(load_sample("listeners: [{protocol: postgres, address: \"h:1\"}]\n"
                                    "databases:\n  weir: {url: postgres://h/app}\n"
                                    "  pgbouncer: {url: postgres://h/app}\n")),
            "3:3: databases.weir: this name is the console's\n"
            "4:3: databases.pgbouncer: this name is the console's\n");
}

TEST(Errors, AllAtOnceInTheOrderOfTheLines) {
  const Loaded loaded = load_sample(
      "workers: many\n"
      "log: {level: loud, fil: x}\n"
      "listeners:\n"
      "  - {protocol: postgres, address: nowhere}\n"
      "users:\n"
      "  app: {password: \"${UNSET}\"}\n"
      "databases:\n"
      "  app: {url: postgres://h/app, pool: {size: 0}}\n"
      "workers: 3\n");
  EXPECT_EQ(problems_of(loaded),
            "1:10: workers: expected auto or a whole number between 1 and 256\n"
            "2:14: log.level: expected one of trace, debug, info, warn, error, off\n"
            "2:20: log.fil: unknown key; did you mean file?\n"
            "4:35: listeners[0].address: expected an address: host:port, [v6]:port, unix:/path or "
            "unix:@name\n"
            "6:19: users.app.password: the environment variable UNSET is not set\n"
            "8:45: databases.app.pool.size: expected a whole number of at least 1\n"
            "9:1: workers: duplicate key, given before on line 1\n");
}

TEST(Errors, ShowTheLineAndACaret) {
  const Loaded loaded = load_sample(kRest + "defaults:\n  pool:\n    size: many\n");
  EXPECT_EQ(loaded.report(),
            "weir.yaml:5:11: defaults.pool.size: expected a whole number of at least 1\n"
            "        size: many\n"
            "              ^");
  EXPECT_EQ(loaded.error().kind, base::ErrorKind::Config);
}

TEST(Errors, AFileThatCannotBeRead) {
  const Directory directory;
  const std::string missing = directory.path("no.yaml");
  EXPECT_EQ(load(missing, sample_surroundings()).report(),
            missing + ":1:1: cannot be read: No such file or directory");
  EXPECT_FALSE(load(directory.path(""), sample_surroundings()));
}

TEST(Errors, SizeAndDepthHaveLimits) {
  EXPECT_FALSE(load_sample(std::string(5 << 20, '#')));
  const Loaded deep = load_sample(std::string(100'000, '['));
  EXPECT_FALSE(deep);
  std::string laughs = "a: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "b" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before +
              "]\n";
  }
  EXPECT_FALSE(load_sample(laughs));
}

}  // namespace
}  // namespace weir::config
