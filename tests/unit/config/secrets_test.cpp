// Nothing that is shown holds a secret. Every secret in these texts contains "hunter2".
#include <sstream>

#include "sample.h"

namespace weir::config {
namespace {

const std::string kWrongTexts[] = {
    "users: {app: {password: hunter2, pool: {size: 0}}}\n",
    "users: {app: {pool: {size: 0}, password: hunter2}}\n",
    "users:\n  app:\n    password: [hunter2]\n",
    "auth: {ldap: {bind_password: [hunter2]}}\n",
    "auth:\n  ldap:\n    bind_password: hunter2\n    bind_password: hunter2\n",
    "auth:\n  ldap:\n    bind_passwort: hunter2\n",
    "users:\n  app:\n    password:\n      [hunter2]\n",
    "users:\n  app:\n    password:\n    - hunter2\n",
    "users:\n  app:\n    password: {hunter2: 1}\n",
    "users:\n  app:\n    password hunter2\n",
    "users:\n  app:\n    \"password hunter2\": 1\n",
    "users:\n  app:\n    passwrd_secret: hunter2\n",
    "users:\n  app: hunter2\n",
    "users: {app: hunter2}\n",
    "users: [hunter2]\n",
    "users: hunter2\n",
    "users:\n  - hunter2\n",
    "users: {app: {password: *hunter2}}\n",
    "users: {app: {password: \"hunter2}}\n",
    "users:\n  app:\n    password: \"abc\nhunter2\n\nhunter2",
    "users:\n  app:\n    password: 'abc\nhunter2\n\nhunter2",
    "users:\n  app:\n    password: |\n      abc\n      hunter2\n     hunter2\n   hunter2\n",
    "users:\n  app:\n    password: >\n      abc\n      hunter2: x\n    hunter2: x\n",
    "users:\n  app:\n    password: a: hunter2\n",
    "users:\n  app:\n    password: abc\n      hunter2: x\n",
    "users:\n  app:\n    password: abc\n   hunter2: x\n",
    "users: {app: {password: !!int {hunter2: 1}}}\n",
    "users: {app: {password: \"hunter2\\q\"}}\n",
    "users: {app: {password: 'a' hunter2}}\n",
    "users:\n  app:\n    password: \"${APP_PASSWORD hunter2}\"\n",
    "users:\n  app:\n    PASSWORD: hunter2\n    pool: {size: 0}\n",
    "databases: {x: {url: \"postgres://u:hunter2@h:bad/x\"}}\n",
    "databases: {x: {url: \"postgres://u:hunter2@h/x?nonsense=1\"}}\n",
    "databases: {x: {url: \"postgres://h/x?password=hunter2&port=0\"}}\n",
    "databases: {x: {url: \"mysql://u:hunter2@h/x\", pool: {size: 0}}}\n",
    "databases: {x: {url: \"postgres://u:pass@hunter2@h:bad/x\"}}\n",
    "databases: {x: {url: \"postgres://u:pass/hunter2@h:bad/x\"}}\n",
    "databases: {x: {url: [\"postgres://u:hunter2@h/x\"]}}\n",
    "databases: {x: {\"postgres://u:hunter2@h/x\": url}}\n",
    "databases: {\"postgres://u:hunter2@h/x\": {}}\n",
    "databases: {x: {password: hunter2, nonsense: 1}}\n",
    "databases: {x: {user: u, password: hunter2, url: \"sqlite:///x\"}}\n",
};

TEST(Secrets, AreNotInErrors) {
  for (const std::string& text : kWrongTexts) {
    const Loaded loaded = load_sample(text);
    EXPECT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.report().find("hunter2"), std::string::npos) << text << loaded.report();
  }
}

TEST(Secrets, TheLineIsStillThere) {
  EXPECT_EQ(load_sample(kRest + "users:\n  app: {password: hunter2, pool: {size: 0}}\n").report(),
            "weir.yaml:4:41: users.app.pool.size: expected a whole number of at least 1\n"
            "      app: {password: ***");
  EXPECT_EQ(load_sample(kRest + "users:\n  app: {pool: {size: 0}, password: x}\n").report(),
            "weir.yaml:4:22: users.app.pool.size: expected a whole number of at least 1\n"
            "      app: {pool: {size: 0}, password: ***\n"
            "                         ^");
}

TEST(Secrets, ASecretPrintsStars) {
  const Secret secret("hunter2");
  std::ostringstream out;
  out << secret;
  EXPECT_EQ(out.str(), "***");
  EXPECT_EQ(fmt::format("{} {:>5}", secret, secret), "***   ***");
  EXPECT_EQ(testing::PrintToString(secret), "***");
}

TEST(Secrets, AreNotInCheckOrDifferences) {
  const std::string start =
      "listeners: [{protocol: postgres, address: 127.0.0.1:6432}]\n"
      "users: {app: {password: hunter2}}\n";
  const Config before =
      good(start +
           "databases: {app: {url: \"postgres://u:hunter2@db1/app\", settings: {a.secret: "
           "hunter2}, pool: {connect_query: \"set secret = 'hunter2'\"}}}\n");
  const Config after = good(
      "listeners: [{protocol: postgres, address: 127.0.0.1:6432}]\n"
      "users: {app: {password: hunter22}}\n"
      "databases: {app: {url: \"postgres://u:hunter23@db1/app\", settings: {a.secret: hunter24}, "
      "pool: {connect_query: \"set secret = 'hunter25'\"}}}\n");
  std::ostringstream out;
  print_check(before, out);
  for (const Difference& one : differences(before, after)) {
    out << one.path << ": " << one.text << '\n';
  }
  EXPECT_EQ(out.str().find("hunter"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("users.app.password: changed"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("databases.app.password: changed"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("databases.app.settings: changed"), std::string::npos) << out.str();
}

TEST(Secrets, AreNotInErrorsOfPieces) {
  const Pieces pieces{{{"--database", "a=postgres://u:hunter2@h:bad/a"},
                       {"--database", "postgres://u:hunter2@h/a"},
                       {"--database", "b=mysql://u:hunter2@h/a"},
                       {"$WEIR_DATABASE_C", "c=redis://u:hunter2@h/x"},
                       {"--database", "d=postgres://u:hunter2@h/a"},
                       {"--database", "e=postgres://u:hunter22@h/a"}},
                      {{"--listen", "postgres://u:hunter2@h/a"}}};
  const Loaded loaded = from_pieces(pieces, sample_surroundings());
  EXPECT_EQ(loaded.problems.size(), 6u) << loaded.report();
  EXPECT_EQ(loaded.report().find("hunter"), std::string::npos) << loaded.report();
}

}  // namespace
}  // namespace weir::config
