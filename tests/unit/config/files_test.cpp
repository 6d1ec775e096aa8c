// Includes and the users file.
#include "sample.h"

namespace weir::config {
namespace {

TEST(Include, MapsAreMergedAndListsAppended) {
  const Directory directory;
  const std::string file = directory.write("weir.yaml",
                                           "include: [conf.d/*.yaml, more.yaml]\n"
                                           "log: {level: warn}\n"
                                           "listeners: [{protocol: postgres, address: \"h:1\"}]\n"
                                           "admin: {users: [a]}\n");
  directory.write("conf.d/b.yaml",
                  "databases: {b: {url: postgres://h/b}}\nadmin: {users: [c]}\n"
                  "listeners: [{protocol: postgres, address: \"h:2\"}]\n");
  directory.write("conf.d/a.yaml",
                  "databases: {a: {url: postgres://h/a}}\nadmin: {users: [b]}\n"
                  "log: {format: json}\n");
  directory.write("conf.d/c.yml", "nonsense: 1\n");
  directory.write("more.yaml", "defaults: {pool: {size: 3}}\n");
  const Loaded loaded = load(file, sample_surroundings());
  ASSERT_TRUE(loaded) << loaded.report();
  const Config& config = loaded.config;
  EXPECT_EQ(config.databases.size(), 2u);
  EXPECT_EQ(config.databases.at("a").pool.size, 3);  // defaults of a later file too
  EXPECT_EQ(config.log.level, base::LogLevel::Warn);
  EXPECT_EQ(config.log.format, LogFormat::Json);
  EXPECT_EQ(config.admin.users, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.files, (std::vector<std::string>{file, directory.path("conf.d/a.yaml"),
                                                    directory.path("conf.d/b.yaml"),
                                                    directory.path("more.yaml")}));
}

TEST(Include, DuplicatesNameBothPlaces) {
  const Directory directory;
  const std::string file = directory.write(
      "weir.yaml", "include: [b.yaml]\nworkers: 2\n" + kRest + "log: {level: info}\n");
  const std::string other = directory.write(
      "b.yaml", "workers: 3\ndatabases:\n  app: {url: postgres://h/b}\nlog:\n  level: warn\n");
  EXPECT_EQ(load(file, sample_surroundings()).report(),
            other + ":1:10: workers: given before, at " + file + ":2:10\n" +
                "    workers: 3\n             ^\n" + other +
                ":3:3: databases.app: given before, at " + file + ":4:13\n" +
                "      app: {url: postgres://h/b}\n      ^\n" + other +
                ":5:10: log.level: given before, at " + file + ":5:14\n" +
                "      level: warn\n             ^");
}

TEST(Include, ErrorsNameTheFileThatHasThem) {
  const Directory directory;
  const std::string file = directory.write("weir.yaml", "workers: x\ninclude: [b.yaml]\n" + kRest);
  const std::string other = directory.write("b.yaml", "\nlog: {level: loud}\n");
  const Loaded loaded = load(file, sample_surroundings());
  ASSERT_EQ(loaded.problems.size(), 2u) << loaded.report();
  EXPECT_EQ(loaded.problems[0].file, file);
  EXPECT_EQ(loaded.problems[1].file, other);
  EXPECT_EQ(loaded.problems[1].line, 2);
  EXPECT_EQ(loaded.problems[1].column, 14);
}

TEST(Include, CirclesAndDepthAndEmptyPatterns) {
  const Directory directory;
  const std::string file = directory.write("weir.yaml", "include: [none/*.yaml, a.yaml]\n" + kRest);
  const std::string other = directory.write("a.yaml", "include: [weir.yaml]\n");
  EXPECT_EQ(problems_of(load(file, sample_surroundings())),
            "1:11: include[0]: the file " + file + " is included twice\n");
  for (int i = 0; i < 20; ++i) {
    directory.write("d" + std::to_string(i) + ".yaml",
                    "include: [d" + std::to_string(i + 1) + ".yaml]\n");
  }
  const Loaded deep = load(directory.path("d0.yaml"), sample_surroundings());
  ASSERT_EQ(deep.problems.size(), 1u) << deep.report();
  EXPECT_EQ(deep.problems[0].expected, "expected files to include files at most 8 deep");
}

TEST(UsersFile, OneOfPgBouncers) {
  const UsersFile read = parse_users_file(
      "; a comment\n"
      "\n"
      "\"app\" \"plain\"\n"
      "  \"with \"\"quotes\"\"\"\t\"a\"\"b\" \"ignored\" too\r\n"
      "\"md\" \"md5d41d8cd98f00b204e9800998ecf8427e\" ; more\n"
      "\"scram\" \"SCRAM-SHA-256$4096:c2FsdA==$a:b\"\n"
      "\"empty\" \"\"",
      "userlist.txt");
  EXPECT_TRUE(read.problems.empty());
  ASSERT_EQ(read.users.size(), 5u);
  EXPECT_EQ(read.users[0].name, "app");
  EXPECT_EQ(read.users[0].secret.reveal(), "plain");
  EXPECT_EQ(read.users[0].line, 3);
  EXPECT_EQ(read.users[1].name, "with \"quotes\"");
  EXPECT_EQ(read.users[1].secret.reveal(), "a\"b");
  EXPECT_EQ(read.users[3].secret.reveal(), "SCRAM-SHA-256$4096:c2FsdA==$a:b");
  EXPECT_TRUE(read.users[4].secret.empty());
}

TEST(UsersFile, ErrorsHaveLinesAndNoSecrets) {
  const UsersFile read = parse_users_file(
      "app hunter2\n"
      "\"app\" hunter2\n"
      "\"app\" \"hunter2\n"
      "\"\" \"hunter2\"\n"
      "\"one\" \"x\"\n"
      "\"one\" \"hunter2\"\n"
      "\"alone\"\n",
      "userlist.txt");
  std::string report;
  for (const Problem& problem : read.problems) report += problem.text() + '\n';
  EXPECT_EQ(report,
            "userlist.txt:1:1: expected \"user\" in double quotes\n"
            "userlist.txt:2:7: expected \"secret\" in double quotes after the user\n"
            "userlist.txt:3:7: expected \"secret\" in double quotes after the user\n"
            "userlist.txt:4:1: expected a user's name that is not empty\n"
            "userlist.txt:6:1: the user is given twice\n"
            "userlist.txt:7:8: expected \"secret\" in double quotes after the user\n");
  EXPECT_EQ(read.users.size(), 1u);
}

TEST(UsersFile, JoinsTheUsersOfTheConfiguration) {
  const Directory directory;
  const std::string list = directory.write("users.txt", "\"app\" \"one\"\n\"ann\" \"two\"\n");
  const std::string file = directory.write(
      "weir.yaml", kRest + "auth: {users_file: users.txt}\nusers: {app: {pool: {size: 3}}}\n");
  const Loaded loaded = load(file, sample_surroundings());
  ASSERT_TRUE(loaded) << loaded.report();
  EXPECT_EQ(loaded.config.users.at("app").password.reveal(), "one");
  EXPECT_EQ(loaded.config.users.at("app").pool.size, 3);
  EXPECT_EQ(loaded.config.users.at("ann").password.reveal(), "two");
  EXPECT_EQ(loaded.config.auth.users_file, list);
  directory.write("weir.yaml",
                  kRest + "auth: {users_file: users.txt}\nusers: {app: {password: x}}\n");
  EXPECT_EQ(load(file, sample_surroundings()).report(),
            list + ":1:1: users.app: has a password in the configuration too");
  directory.write("users.txt", "\"app\" \"hunter2\n");
  EXPECT_EQ(load(file, sample_surroundings()).report(),
            list + ":1:7: expected \"secret\" in double quotes after the user");
}

}  // namespace
}  // namespace weir::config
