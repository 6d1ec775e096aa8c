// pg_hba.conf: what is read, and what is complained of.
#include "auth_sample.h"

#include "sample.h"

namespace weir::config {
namespace {

using Kind = NameRule::Kind;
using Connection = HbaRule::Connection;

// "all sameuser =name +group /expression", as they were understood.
std::string names_text(const std::vector<NameRule>& names) {
  std::string out;
  for (const NameRule& name : names) {
    if (!out.empty()) out += ' ';
    switch (name.kind) {
      case Kind::All: out += "ALL"; break;
      case Kind::SameUser: out += "SAMEUSER"; break;
      case Kind::SameRole: out += "SAMEROLE"; break;
      case Kind::Replication: out += "REPLICATION"; break;
      case Kind::Group: out += '+' + name.text; break;
      case Kind::Name: out += '=' + name.text; break;
      case Kind::Pattern: out += '~' + name.text; break;
    }
    EXPECT_EQ(name.pattern.has_value(), name.kind == Kind::Pattern);
  }
  return out;
}
std::string databases_of(const std::string& field, Texts texts = {}) {
  return names_text(hba("local " + field + " all trust", texts).list.at(0).databases);
}
std::string users_of(const std::string& field, Texts texts = {}) {
  return names_text(hba("local all " + field + " trust", texts).list.at(0).users);
}
HbaRule rule_of(const std::string& line) {
  const HbaRules rules = hba(line);
  return rules.list.empty() ? HbaRule() : rules.list[0];
}

TEST(Hba, KindsOfRecords) {
  const HbaRules rules =
      hba("# TYPE  DATABASE  USER  ADDRESS  METHOD\n"
          "local all all trust\n"
          "\n"
          "host all all 10.0.0.0/8 md5\n"
          "\thostssl all all ::1/128 scram-sha-256\r\n"
          "hostnossl all all 0.0.0.0/0 reject # nobody\n"
          "hostgssenc all all all trust\n"
          "hostnogssenc all all samehost password\n"
          "host all all samenet ldap ldapserver=h ldapprefix=x");
  ASSERT_EQ(rules.list.size(), 7u);
  std::vector<Connection> connections;
  std::vector<int> lines;
  std::vector<HbaMethod> methods;
  for (const HbaRule& rule : rules.list) {
    EXPECT_EQ(rule.file, "etc/hba.conf");
    connections.push_back(rule.connection);
    lines.push_back(rule.line);
    methods.push_back(rule.method);
  }
  EXPECT_EQ(connections, (std::vector{Connection::Local, Connection::Host, Connection::HostTls,
                                      Connection::HostNoTls, Connection::HostGss, Connection::Host,
                                      Connection::Host}));
  EXPECT_EQ(lines, (std::vector{2, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(methods, (std::vector{HbaMethod::Trust, HbaMethod::Md5, HbaMethod::ScramSha256,
                                  HbaMethod::Reject, HbaMethod::Trust, HbaMethod::Password,
                                  HbaMethod::Ldap}));
  EXPECT_EQ(rules.list[1].network.text(), "10.0.0.0/8");
  EXPECT_EQ(rules.list[4].addresses, HbaRule::Addresses::All);
  EXPECT_EQ(rules.list[5].addresses, HbaRule::Addresses::SameHost);
  EXPECT_EQ(rules.list[6].addresses, HbaRule::Addresses::SameNet);
}

TEST(Hba, Databases) {
  EXPECT_EQ(databases_of("all"), "ALL");
  EXPECT_EQ(databases_of("sameuser,samerole,samegroup,replication"),
            "SAMEUSER SAMEROLE SAMEROLE REPLICATION");
  EXPECT_EQ(databases_of("app,all,\"two words\""), "=app ALL =two words");
  EXPECT_EQ(databases_of("app, other,\tthird"), "=app =other =third");
  EXPECT_EQ(databases_of("\"all\",\"sameuser\",\"samerole\",\"replication\""),
            "=all =sameuser =samerole =replication");
  EXPECT_EQ(databases_of("ALL,Replication"), "=ALL =Replication");  // keywords have small letters
  EXPECT_EQ(databases_of("+app"), "=+app");
  EXPECT_EQ(databases_of("/^db\\d+$,\"/^a{1,2}$\""), "~/^db\\d+$ ~/^a{1,2}$");
}

TEST(Hba, Users) {
  EXPECT_EQ(users_of("all"), "ALL");
  EXPECT_EQ(users_of("ann,+staff,\"+ann\",\"all\""), "=ann +staff =+ann =all");
  EXPECT_EQ(users_of("sameuser,replication"), "=sameuser =replication");
  EXPECT_EQ(users_of("a\"b c\"d,\"say \"\"hi\"\"\",\"\""), "=ab cd =say \"hi\" =");
  EXPECT_EQ(users_of("\"a#b,c\""), "=a#b,c");
  EXPECT_EQ(users_of("a\"ll\""), "ALL");  // PostgreSQL asks for a quote at the start
}

TEST(Hba, CommasAsPostgresReadsThem) {
  EXPECT_EQ(users_of("ann,,bob, eve"), "=ann =bob =eve");
  EXPECT_EQ(hba_problems("local all ann , bob trust"),
            "1:17: expected a method: trust, reject, "
            "password, md5, scram-sha-256, cert, peer, ident, pam or ldap\n");
  EXPECT_EQ(names_text(hba("local all ,ann trust").list.at(0).users), "=ann");
}

TEST(Hba, LinesGoOnBehindABackslash) {
  const HbaRules rules =
      hba("local all \\\n"
          "  ann,\\\r\n"
          "bob trust\n"
          "# a comment \\\n"
          "that goes on\n"
          "local all a\\\n"
          "ll peer\n"
          "local all back\\slash trust\n"
          "local all x trust\\");
  ASSERT_EQ(rules.list.size(), 4u);
  EXPECT_EQ(names_text(rules.list[0].users), "=ann =bob");
  EXPECT_EQ(rules.list[0].line, 1);
  EXPECT_EQ(names_text(rules.list[1].users), "ALL");
  EXPECT_EQ(rules.list[1].line, 6);
  EXPECT_EQ(names_text(rules.list[2].users), "=back\\slash");
  EXPECT_EQ(rules.list[2].line, 8);
  EXPECT_EQ(rules.list[3].line, 9);
  // Two of them: one is for the line, the other stays.
  EXPECT_EQ(names_text(hba("local all a\\\\\n trust\n").list.at(0).users), "=a\\");
  // A place is told by the line that it is on.
  EXPECT_EQ(hba_problems("local all all \\\n  \\\n  maybe\n"),
            "3:3: expected a method: trust, reject, password, md5, scram-sha-256, cert, peer, "
            "ident, pam or ldap\n");
}

TEST(Hba, AddressesAndMasks) {
  const auto network = [](const std::string& columns) {
    return rule_of("host all all " + columns + " trust").network.text();
  };
  EXPECT_EQ(network("10.1.2.3/8"), "10.1.2.3/8");  // bits behind the prefix are no mistake
  EXPECT_EQ(network("10.0.0.0 255.0.0.0"), "10.0.0.0/8");
  EXPECT_EQ(network("fe80:: ffc0::"), "fe80::/10");
  EXPECT_EQ(network("::ffff:10.0.0.0/104"), "10.0.0.0/8");
  EXPECT_EQ(network("\"10.0.0.0/8\""), "10.0.0.0/8");
  const std::string names =
      "1:14: expected an address such as 10.0.0.0/8, all, samehost or samenet: names of hosts are "
      "not looked up\n";
  for (const char* word : {"localhost", ".example.org", "db1.example.org", "\"all\"", "ALL",
                           "10.0.0.256", "samehosts"})
    EXPECT_EQ(hba_problems(std::string("host all all ") + word + " trust"), names) << word;
  EXPECT_EQ(hba_problems("host all all db1/8 trust"),
            "1:14: expected an IP address such as 10.0.0.1 or ::1, not 'db1'\n");
  EXPECT_EQ(hba_problems("host all all 10.0.0.0/33 trust"),
            "1:14: expected a prefix of 0 to 32 behind the / of '10.0.0.0/33'\n");
  EXPECT_EQ(hba_problems("host all all 10.0.0.1 trust"),
            "1:23: expected a mask behind the address, or ADDRESS/PREFIX\n");
  EXPECT_EQ(hba_problems("host all all 10.0.0.1 255.0.255.0 trust"),
            "1:23: expected a mask with all of its ones in front\n");
  EXPECT_EQ(hba_problems("host all all 10.0.0.1 ffff:: trust"),
            "1:23: expected an address and a mask of the same kind, IPv4 or IPv6\n");
  EXPECT_EQ(hba_problems("host all all 10.0.0.0/8,10.0.0.1/32 trust"),
            "1:14: expected an address such as 10.0.0.0/8, and one alone\n");
}

TEST(Hba, MethodsAndWhereTheyMayStand) {
  EXPECT_EQ(rule_of("local all all peer").method, HbaMethod::Peer);
  EXPECT_EQ(rule_of("local all all ident").method, HbaMethod::Peer);
  EXPECT_EQ(rule_of("local all all \"pam\"").method, HbaMethod::Pam);
  EXPECT_EQ(rule_of("hostssl all all all cert").method, HbaMethod::Cert);
  for (const std::string method : {"gss", "sspi", "radius", "bsd", "oauth"})
    EXPECT_EQ(hba_problems("host all all all " + method + " x=y"),
              "1:18: the method " + method + " is not supported\n");
  EXPECT_EQ(hba_problems("host all all all peer"), "1:18: expected peer on local lines only\n");
  EXPECT_EQ(hba_problems("hostssl all all all ident"),
            "1:21: expected ident on local lines only: servers of RFC 1413 are not asked\n");
  for (const std::string type : {"host", "hostnossl", "hostnogssenc"})
    EXPECT_EQ(hba_problems(type + " all all all cert"),
              "1:" + std::to_string(type.size() + 14) + ": expected cert on hostssl lines only\n");
  EXPECT_EQ(hba_problems("local all all cert"), "1:15: expected cert on hostssl lines only\n");
}

TEST(Hba, Options) {
  EXPECT_EQ(rule_of("local all all peer map=staff").options.map, "staff");
  EXPECT_EQ(rule_of("local all all ident \"map=two words\"").options.map, "two words");
  EXPECT_EQ(rule_of("local all all peer map=a map=b").options.map, "b");
  const HbaOptions cert = rule_of("hostssl all all all cert map=m,clientname=CN").options;
  EXPECT_EQ(cert.map, "m");
  EXPECT_EQ(cert.client_certificate, ClientCertificate::VerifyFull);
  const auto certificate = [](const std::string& option) {
    return rule_of("hostssl all all all md5 " + option).options.client_certificate;
  };
  EXPECT_EQ(certificate(""), ClientCertificate::Any);
  EXPECT_EQ(certificate("clientcert=verify-ca"), ClientCertificate::VerifyCa);
  EXPECT_EQ(certificate("clientcert=verify-full"), ClientCertificate::VerifyFull);
  const HbaOptions pam = rule_of("host all all all pam pamservice=weir pam_use_hostname=0").options;
  EXPECT_EQ(pam.pam_service, "weir");
}

TEST(Hba, OptionsThatDoNotFit) {
  const auto said = [](const std::string& rest) {
    const std::string out = hba_problems("hostssl all all all " + rest);
    return out.substr(out.find(' ') + 1);
  };
  EXPECT_EQ(said("md5 verify"), "expected options as NAME=VALUE behind the method\n");
  EXPECT_EQ(said("md5 map=m"), "expected map with the methods ident, peer and cert only\n");
  EXPECT_EQ(said("md5 clientcert=1"), "expected clientcert=verify-ca or clientcert=verify-full\n");
  EXPECT_EQ(said("cert clientcert=verify-ca"),
            "expected clientcert=verify-full with the method cert, or no clientcert\n");
  EXPECT_EQ(said("cert clientname=DN"),
            "expected clientname=CN: of a certificate, its CN is the name\n");
  EXPECT_EQ(said("md5 pamservice=x"), "expected pamservice with the method pam only\n");
  EXPECT_EQ(said("pam pam_use_hostname=1"),
            "expected pam_use_hostname=0: names of hosts are not looked up\n");
  EXPECT_EQ(said("md5 ldapserver=x"), "expected ldapserver with the method ldap only\n");
  EXPECT_EQ(said("md5 krb_realm=x"),
            "there is no such option: expected map, clientcert, clientname, pamservice or one of "
            "ldap's\n");
  EXPECT_EQ(hba_problems("host all all all md5 clientcert=verify-ca"),
            "1:22: expected clientcert on hostssl lines only\n");
  EXPECT_EQ(hba_problems("local all all peer clientname=CN"),
            "1:20: expected clientname on hostssl lines only\n");
}

TEST(Hba, ComplaintsRepeatNoSecret) {
  const std::string said = hba_problems(
      "host all all all ldap ldapbasedn=a ldapbindpasswd hunter2 =hunter2\n"
      "host all all all md5 ldapbindpasswd=hunter2\n"
      "host all all all ldap ldapbindpasswd=\"hunter2\n");
  EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 5) << said;
}

TEST(Hba, AllProblemsAtOnce) {
  EXPECT_EQ(hba_problems("hosts all all all trust\n"
                         "host\n"
                         "host all\n"
                         "host all all\n"
                         "host all all all # and no method\n"
                         "local all all\n"
                         "local,host all all trust\n"
                         "local all all trust,md5\n"
                         "local all \"all trust\n"
                         "local all all trust\n"
                         "local all + trust\n"
                         "local /( /[ trust\n"
                         "local all all trust more\n"),
            "1:1: expected local, host, hostssl, hostnossl, hostgssenc or hostnogssenc\n"
            "2:5: expected databases, not the end of the line\n"
            "3:9: expected users, not the end of the line\n"
            "4:13: expected an address such as 10.0.0.0/8, not the end of the line\n"
            "5:17: expected a method, not the end of the line\n"
            "6:14: expected a method, not the end of the line\n"
            "7:1: expected local, host, hostssl or hostnossl, and one alone\n"
            "8:15: expected a method, and one alone\n"
            "9:11: expected a second quote\n"
            "11:11: expected a group's name behind the +\n"
            "12:7: expected a ) behind the (\n"
            "12:10: expected a ] behind the [\n"
            "13:21: expected options as NAME=VALUE behind the method\n");
  std::string many;
  for (int i = 0; i < 300; ++i) many += "x\n";
  EXPECT_EQ(read_hba(many).problems.size(), 100u);
}

TEST(Hba, AFileWithoutRecordsLetsNobodyIn) {
  const std::string said = "etc/hba.conf: expected at least one record\n";
  EXPECT_EQ(problems_text(read_hba("").problems), said);
  EXPECT_EQ(problems_text(read_hba("# nothing\n\n \\\n").problems), said);
}

TEST(Hba, FilesOfNames) {
  const Texts texts{{"etc/admins", "ann, bob # the first two\n\"c d\"\n\n@more +staff\n/^x\n"},
                    {"etc/more", "eve all"},
                    {"/abs/two words", "zoe"},
                    {"etc/none", "# nobody\n"}};
  EXPECT_EQ(users_of("@admins", texts), "=ann =bob =c d =eve ALL +staff ~/^x");
  EXPECT_EQ(users_of("x,@more,y", texts), "=x =eve ALL =y");
  EXPECT_EQ(users_of("@\"/abs/two words\"", texts), "=zoe");
  EXPECT_EQ(users_of("\"@more\",@", texts), "=@more =@");
  EXPECT_EQ(users_of("@none", texts), "");  // matches nobody; the columns stay in their places
  EXPECT_EQ(databases_of("@more", texts), "=eve ALL");
  EXPECT_EQ(hba_problems("local all @absent trust\nlocal all @secret trust\n",
                         {{"etc/secret", "unreadable"}}),
            "1:11: the file etc/absent does not exist\n"
            "2:11: the file etc/secret cannot be read: Permission denied\n");
  EXPECT_EQ(hba_problems("local all @names trust\n", {{"etc/names", "ok\n  /( \"x\n"}}),
            "etc/names:2:6: expected a second quote\n");
}

TEST(Hba, IncludedFiles) {
  const Texts texts{{"etc/a.conf", "local a all trust\ninclude sub/b.conf\nlocal a2 all trust\n"},
                    {"etc/sub/b.conf", "local b all trust\ninclude c.conf"},
                    {"etc/sub/c.conf", "local c all trust"},
                    {"etc/d/", "2.conf 10.conf .hidden.conf 1.conf~ B.conf a.conf readme"},
                    {"etc/d/2.conf", "local two all trust"},
                    {"etc/d/10.conf", "local ten all trust"},
                    {"etc/d/B.conf", "local B all trust"},
                    {"etc/d/a.conf", "local a all trust"}};
  const auto order = [&](const std::string& text) {
    std::string out;
    for (const HbaRule& rule : hba(text, texts).list)
      out += rule.databases.at(0).text + '@' + rule.file.substr(4) + ':' +
             std::to_string(rule.line) + ' ';
    return out;
  };
  EXPECT_EQ(order("local x all trust\ninclude a.conf\nlocal y all trust"),
            "x@hba.conf:1 a@a.conf:1 b@sub/b.conf:1 c@sub/c.conf:1 a2@a.conf:3 y@hba.conf:3 ");
  EXPECT_EQ(order("include_dir d"), "ten@d/10.conf:1 two@d/2.conf:1 B@d/B.conf:1 a@d/a.conf:1 ");
  EXPECT_EQ(order("include_if_exists absent\ninclude_if_exists \"sub/c.conf\""), "c@sub/c.conf:1 ");
}

TEST(Hba, IncludedFilesThatCannotBe) {
  EXPECT_EQ(hba_problems("include absent\ninclude_if_exists secret\ninclude_dir absent\n"
                         "include a,b\ninclude a b\n",
                         {{"etc/secret", "unreadable"}}),
            "1:9: the file etc/absent does not exist\n"
            "2:19: the file etc/secret cannot be read: Permission denied\n"
            "3:13: the directory etc/absent cannot be read: No such file or directory\n"
            "4:9: expected one name behind include\n"
            "5:1: expected local, host, hostssl, hostnossl, hostgssenc or hostnogssenc\n");
  EXPECT_EQ(hba_problems("include a\n", {{"etc/a", "include b"}, {"etc/b", "\ninclude a"}}),
            "etc/b:2:9: the file etc/a includes itself\n");
  EXPECT_EQ(hba_problems("local all @a trust\n", {{"etc/a", "x @a"}}),
            "etc/a:1:3: the file etc/a includes itself\n");
  Texts deep;
  for (int i = 0; i < 20; ++i)
    deep["etc/" + std::to_string(i)] = "include " + std::to_string(i + 1);
  EXPECT_EQ(hba_problems("include 0", deep),
            "etc/9:1:9: expected files to include files at most 10 deep\n");
  // Ten files deep, each naming the next ten times: it ends all the same.
  Texts wide;
  for (int i = 0; i < 10; ++i)
    for (int j = 0; j < 10; ++j)
      wide["etc/" + std::to_string(i)] += "include " + std::to_string(i + 1) + "\n";
  const HbaFile read = read_hba("include 0", wide);
  EXPECT_EQ(read.problems.size(), 100u);
  const Texts large{{"etc/large", std::string(9 << 20, '#')}};
  EXPECT_EQ(hba_problems("include large\ninclude large\nlocal all all trust", large),
            "2:9: expected included files of no more than 16MiB together\n");
}

TEST(Hba, FilesOnDisk) {
  const Directory directory;
  const std::string file =
      directory.write("hba.conf", "include_dir d\nlocal all @names trust\ninclude_if_exists no");
  directory.write("names", "ann\nbob\n");
  directory.write("d/1.conf", "local one all trust\n");
  directory.write("d/sub.conf/x", "");  // a directory is no file
  const HbaFile read = load_hba(file);
  EXPECT_EQ(problems_text(read.problems), "");
  ASSERT_EQ(read.rules.list.size(), 2u);
  EXPECT_EQ(read.rules.list[0].file, directory.path("d/1.conf"));
  EXPECT_EQ(names_text(read.rules.list[1].users), "=ann =bob");
  const std::string absent = directory.path("absent");
  EXPECT_EQ(problems_text(load_hba(absent).problems),
            absent + ": cannot be read: No such file or directory\n");
}

}  // namespace
}  // namespace weir::config
