// Which line of pg_hba.conf decides.
#include "auth_sample.h"

namespace weir::config {
namespace {

HbaClient local(const std::string& database = "app", const std::string& user = "ann") {
  HbaClient client;
  client.is_local = true;
  client.database = database;
  client.user = user;
  return client;
}
HbaClient remote(const std::string& address) {
  HbaClient client = local();
  client.is_local = false;
  if (!address.empty()) client.address = base::read_ip(address).value();
  return client;
}
HbaClient over_tls(const std::string& address) {
  HbaClient client = remote(address);
  client.over_tls = true;
  return client;
}
HbaClient replicating(const std::string& user = "ann") {
  HbaClient client = local("", user);
  client.is_replication = true;
  return client;
}
HbaClient with(HbaClient client, const Groups& groups) {
  client.groups = &groups;
  return client;
}

// The line that decides; 0: none. -1: groups are needed.
int line_of(const HbaRules& rules, const HbaClient& client) {
  const HbaVerdict verdict = match(rules, client);
  if (verdict.needs_groups) {
    EXPECT_EQ(verdict, HbaVerdict{.needs_groups = true});
    EXPECT_EQ(client.groups, nullptr);
    return -1;
  }
  return verdict.line;
}
bool matches(const std::string& line, const HbaClient& client) {
  return line_of(hba(line), client) == 1;
}

TEST(HbaMatch, TheFirstLineThatMatchesDecides) {
  const HbaRules rules =
      hba("local app ann reject\n"
          "local app all trust\n"
          "host app all 10.0.0.0/8 md5\n"
          "host all all 10.1.0.0/16 trust\n");
  EXPECT_EQ(match(rules, local("app", "ann")).method, HbaMethod::Reject);
  EXPECT_EQ(line_of(rules, local("app", "ann")), 1);
  EXPECT_EQ(line_of(rules, local("app", "bob")), 2);
  EXPECT_EQ(line_of(rules, remote("10.1.2.3")), 3);
  const HbaVerdict none = match(rules, local("other", "ann"));
  EXPECT_EQ(none, HbaVerdict());
  EXPECT_EQ(none.method, HbaMethod::Reject);
  EXPECT_EQ(none.line, 0);
  EXPECT_EQ(match(HbaRules(), local()).method, HbaMethod::Reject);
}

TEST(HbaMatch, TheVerdictSaysWhatTheLineSays) {
  const HbaVerdict verdict =
      match(hba("\ninclude more", {{"etc/more", "\n\nhostssl all all all cert map=staff"}}),
            over_tls("1.2.3.4"));
  EXPECT_EQ(verdict.method, HbaMethod::Cert);
  EXPECT_EQ(verdict.file, "etc/more");
  EXPECT_EQ(verdict.line, 3);
  EXPECT_EQ(verdict.options.map, "staff");
  EXPECT_EQ(verdict.options.client_certificate, ClientCertificate::VerifyFull);
}

TEST(HbaMatch, KindsOfConnections) {
  struct Row {
    const char* type;
    bool local, plain, tls;
  };
  for (const Row& row :
       {Row{"local all all", true, false, false}, Row{"host all all all", false, true, true},
        Row{"hostnogssenc all all all", false, true, true},
        Row{"hostssl all all all", false, false, true},
        Row{"hostnossl all all all", false, true, false},
        Row{"hostgssenc all all all", false, false, false}}) {
    const std::string line = std::string(row.type) + " trust";
    EXPECT_EQ(matches(line, local()), row.local) << line;
    EXPECT_EQ(matches(line, remote("10.0.0.1")), row.plain) << line;
    EXPECT_EQ(matches(line, over_tls("10.0.0.1")), row.tls) << line;
  }
  HbaClient local_over_tls = local();
  local_over_tls.over_tls = true;
  EXPECT_FALSE(matches("hostssl all all all trust", local_over_tls));
}

TEST(HbaMatch, Addresses) {
  EXPECT_TRUE(matches("host all all 10.9.9.9/8 trust", remote("10.1.1.1")));
  EXPECT_FALSE(matches("host all all 10.0.0.0/8 trust", remote("11.0.0.0")));
  EXPECT_TRUE(matches("host all all 10.0.0.0 255.255.0.0 trust", remote("10.0.9.9")));
  EXPECT_FALSE(matches("host all all 10.0.0.0 255.255.0.0 trust", remote("10.1.0.0")));
  EXPECT_TRUE(matches("host all all 10.0.0.0/8 trust", remote("::ffff:10.1.1.1")));
  EXPECT_FALSE(matches("host all all ::/0 trust", remote("10.0.0.1")));
  EXPECT_FALSE(matches("host all all 0.0.0.0/0 trust", remote("::1")));
  EXPECT_TRUE(matches("host all all all trust", remote("::1")));
  EXPECT_TRUE(matches("host all all all trust", remote("")));
  EXPECT_FALSE(matches("host all all 0.0.0.0/0 trust", remote("")));
  EXPECT_FALSE(matches("host all all samenet trust", remote("")));
}

TEST(HbaMatch, TheMachinesOwnNetworks) {
  const std::vector<base::Network> own = {base::read_network("192.168.1.5/24").value(),
                                          base::read_network("::1/128").value()};
  const auto near = [&](const std::string& address) {
    HbaClient client = remote(address);
    client.own_networks = own;
    return client;
  };
  EXPECT_TRUE(matches("host all all samehost trust", near("192.168.1.5")));
  EXPECT_FALSE(matches("host all all samehost trust", near("192.168.1.6")));
  EXPECT_TRUE(matches("host all all samehost trust", near("::1")));
  EXPECT_TRUE(matches("host all all samenet trust", near("192.168.1.6")));
  EXPECT_FALSE(matches("host all all samenet trust", near("192.168.2.6")));
  EXPECT_FALSE(matches("host all all samenet trust", remote("192.168.1.5")));  // none are known
}

TEST(HbaMatch, Databases) {
  EXPECT_TRUE(matches("local app,other all trust", local("other")));
  EXPECT_FALSE(matches("local app all trust", local("App")));
  EXPECT_TRUE(matches("local sameuser all trust", local("ann", "ann")));
  EXPECT_FALSE(matches("local sameuser all trust", local("ann", "bob")));
  EXPECT_TRUE(matches("local \"all\" all trust", local("all")));
  EXPECT_FALSE(matches("local \"all\" all trust", local("app")));
  EXPECT_TRUE(matches("local \"sameuser\" all trust", local("sameuser")));
  EXPECT_TRUE(matches("local /^app_\\d+$ all trust", local("app_17")));
  EXPECT_FALSE(matches("local /^app_\\d+$ all trust", local("app_x")));
  EXPECT_TRUE(matches("local \"/^(a|b){1,2}$\" all trust", local("ba")));
  EXPECT_TRUE(matches("local /pp all trust", local("app")));  // anywhere in the name
  EXPECT_TRUE(matches("local +app all trust", local("+app")));
}

TEST(HbaMatch, Replication) {
  EXPECT_TRUE(matches("local replication all trust", replicating()));
  EXPECT_TRUE(matches("local app,replication ann trust", replicating()));
  EXPECT_FALSE(matches("local all all trust", replicating()));
  EXPECT_FALSE(matches("local \"replication\" all trust", replicating()));
  EXPECT_FALSE(matches("local /. all trust", replicating()));
  EXPECT_FALSE(matches("local sameuser all trust", replicating("")));
  EXPECT_FALSE(matches("local replication all trust", local("replication")));
  EXPECT_TRUE(matches("local \"replication\" all trust", local("replication")));
  EXPECT_TRUE(matches("local all all trust", local("replication")));
}

TEST(HbaMatch, Users) {
  EXPECT_TRUE(matches("local all bob,ann trust", local()));
  EXPECT_FALSE(matches("local all bob trust", local()));
  EXPECT_FALSE(matches("local all Ann trust", local()));
  EXPECT_TRUE(matches("local all /^a trust", local()));
  EXPECT_TRUE(matches("local all \"all\" trust", local("app", "all")));
  EXPECT_FALSE(matches("local all \"all\" trust", local()));
  EXPECT_TRUE(matches("local all \"+staff\" trust", local("app", "+staff")));
  EXPECT_FALSE(matches("local all sameuser trust", local("ann", "ann")));
  EXPECT_EQ(line_of(hba("local all @none trust\nlocal all all md5", {{"etc/none", ""}}), local()),
            2);
}

TEST(HbaMatch, Groups) {
  const HbaRules rules = hba("local all +staff trust\nlocal all all md5");
  EXPECT_EQ(line_of(rules, local()), -1);
  EXPECT_EQ(line_of(rules, with(local(), Groups{"staff"})), 1);
  EXPECT_EQ(line_of(rules, with(local(), Groups{"Staff", "others"})), 2);
  EXPECT_EQ(line_of(rules, with(local(), Groups{})), 2);
  EXPECT_EQ(line_of(rules, local("app", "staff")), 1);  // a role is a member of itself
  const HbaRules samerole = hba("local samerole all trust\nlocal samegroup all md5");
  EXPECT_EQ(line_of(samerole, local()), -1);
  EXPECT_EQ(line_of(samerole, with(local(), Groups{"app"})), 1);
  EXPECT_EQ(line_of(samerole, with(local(), Groups{"ann"})), 0);
  EXPECT_EQ(line_of(samerole, local("ann", "ann")), 1);
}

TEST(HbaMatch, GroupsAreAskedForOnlyWhereTheyDecide) {
  EXPECT_EQ(line_of(hba("local all +staff,ann trust"), local()), 1);
  EXPECT_EQ(line_of(hba("local samerole,all all trust"), local()), 1);
  EXPECT_EQ(line_of(hba("local other +staff trust\nlocal all all md5"), local()), 2);
  EXPECT_EQ(line_of(hba("local samerole bob trust\nlocal all all md5"), local()), 2);
  EXPECT_EQ(line_of(hba("host all +staff all trust\nlocal all all md5"), local()), 2);
  EXPECT_EQ(line_of(hba("local all all md5\nlocal all +staff trust"), local()), 1);
  EXPECT_EQ(line_of(hba("local samerole all trust\nlocal replication all md5"), replicating()), 2);
  EXPECT_EQ(line_of(hba("local samerole +staff trust"), local()), -1);
  EXPECT_EQ(line_of(hba("local all +staff reject\nlocal all +staff trust"), local()), -1);
  const HbaRules both = hba("local samerole +staff trust\nlocal all +other md5");
  EXPECT_EQ(line_of(both, with(local(), Groups{"app", "staff"})), 1);
  EXPECT_EQ(line_of(both, with(local(), Groups{"app", "other"})), 2);
  EXPECT_EQ(line_of(both, with(local(), Groups{"app"})), 0);
}

}  // namespace
}  // namespace weir::config
