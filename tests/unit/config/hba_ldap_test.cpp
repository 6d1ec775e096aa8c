// The options of ldap lines in pg_hba.conf.
#include "auth_sample.h"

#include "sample.h"

namespace weir::config {
namespace {

Ldap ldap_of(const std::string& rest) {
  const HbaRules rules = hba("host all all all ldap " + rest);
  return rules.list.empty() ? Ldap() : rules.list[0].options.ldap;
}

TEST(HbaLdap, Search) {
  const Ldap ldap = ldap_of(
      "ldapserver=\"a b\" ldapport=390 ldaptls=1 ldapbasedn=\"dc=example, dc=net\" "
      "ldapbinddn=cn=x ldapbindpasswd=hunter2 ldapsearchattribute=mail");
  EXPECT_EQ(ldap.url, "ldap://a:390 ldap://b:390");
  EXPECT_TRUE(ldap.start_tls);
  EXPECT_EQ(ldap.base_dn, "dc=example, dc=net");
  EXPECT_EQ(ldap.scope, Ldap::Scope::Subtree);
  EXPECT_EQ(ldap.filter, "(mail={user})");
  EXPECT_EQ(ldap.bind_dn, "cn=x");
  EXPECT_EQ(ldap.bind_password.reveal(), "hunter2");
  EXPECT_EQ(ldap_of("ldapserver=h ldapscheme=ldaps ldapbasedn=a").url, "ldaps://h");
  EXPECT_EQ(ldap_of("ldapserver=h ldapbasedn=a").filter, "(uid={user})");
  EXPECT_FALSE(ldap_of("ldapserver=h ldapbasedn=a ldaptls=0").start_tls);
  EXPECT_EQ(ldap_of("ldapserver=h ldapbasedn=a "
                    "ldapsearchfilter=\"(|(uid=$username)(mail=$username))\"")
                .filter,
            "(|(uid={user})(mail={user}))");
}

TEST(HbaLdap, PrefixAndSuffix) {
  const Ldap ldap = ldap_of("ldapserver=h ldapprefix=\"cn=\" ldapsuffix=\", dc=x\"");
  EXPECT_EQ(ldap.prefix, "cn=");
  EXPECT_EQ(ldap.suffix, ", dc=x");
  EXPECT_EQ(ldap.base_dn, "");
}

TEST(HbaLdap, Url) {
  const Ldap ldap = ldap_of("ldapurl=\"ldaps://h:637/dc=x,%20dc=y?mail?sub\" ldapbinddn=cn=x");
  EXPECT_EQ(ldap.url, "ldaps://h:637");
  EXPECT_EQ(ldap.base_dn, "dc=x, dc=y");
  EXPECT_EQ(ldap.filter, "(mail={user})");
  EXPECT_EQ(ldap.scope, Ldap::Scope::Subtree);
  EXPECT_EQ(ldap.bind_dn, "cn=x");
  EXPECT_EQ(ldap_of("ldapurl=ldap://h ldapbasedn=a").scope, Ldap::Scope::Base);
  EXPECT_EQ(ldap_of("ldapurl=\"ldap://h/dc=x?uid,cn?sub\"").filter, "(uid={user})");
  const Ldap least = ldap_of("ldapurl=ldap://[::1]/dc=x");
  EXPECT_EQ(least.url, "ldap://[::1]");
  EXPECT_EQ(least.filter, "(uid={user})");
  EXPECT_EQ(least.scope, Ldap::Scope::Base);
  const Ldap filter = ldap_of("ldapurl=\"ldap://h/dc=x??one?(cn=$username)\"");
  EXPECT_EQ(filter.filter, "(cn={user})");
  EXPECT_EQ(filter.scope, Ldap::Scope::OneLevel);
  for (const char* url : {"h", "http://h/dc=x", "ldap:///dc=x", "ldap://h/dc=x?uid?all",
                          "ldap://h/dc=x?uid?sub?(a=b)?c", "ldap://h:0/dc=x", "ldap://h/%zz"})
    EXPECT_EQ(hba_problems(std::string("host all all all ldap ldapurl=\"") + url + '"'),
              "1:1: expected ldapurl=ldap://host[:port]/base[?attribute[?scope[?filter]]]\n")
        << url;
}

TEST(HbaLdap, Complaints) {
  const auto said = [](const std::string& rest) {
    return hba_problems("host all all all ldap ldapserver=h " + rest);
  };
  EXPECT_EQ(hba_problems("host all all all ldap ldapbasedn=a"),
            "1:1: expected ldapserver or ldapurl with ldap\n");
  EXPECT_EQ(said("ldapurl=ldap://h/dc=x"),
            "1:1: expected ldapserver or ldapurl with ldap, but not both\n");
  EXPECT_EQ(hba_problems("host all all all ldap ldapserver=a/b ldapbasedn=a"),
            "1:1: expected names of hosts as ldapserver\n");
  EXPECT_EQ(said(""), "1:1: expected ldapbasedn, ldapprefix or ldapsuffix with ldap\n");
  EXPECT_EQ(said("ldapprefix=a ldapbasedn=b"),
            "1:1: expected ldapprefix and ldapsuffix, or options for a search, but not both\n");
  EXPECT_EQ(said("ldapsuffix=a ldapbindpasswd=b"),
            "1:1: expected ldapprefix and ldapsuffix, or options for a search, but not both\n");
  EXPECT_EQ(said("ldapbasedn="), "1:36: expected a DN as ldapbasedn\n");
  EXPECT_EQ(said("ldapbasedn=a ldapsearchfilter=(uid=*)"),
            "1:49: expected $username somewhere in ldapsearchfilter\n");
  EXPECT_EQ(hba_problems("host all all all ldap ldapurl=ldap://h/dc=x??sub?(uid=*)"),
            "1:1: expected $username somewhere in the filter of ldapurl\n");
  EXPECT_EQ(said("ldapbasedn=a ldapsearchattribute=b ldapsearchfilter=$username"),
            "1:1: expected ldapsearchattribute or ldapsearchfilter, but not both\n");
  for (const char* port : {"0", "65536", "x", "", "-1", "123456"})
    EXPECT_EQ(said(std::string("ldapbasedn=a ldapport=") + port),
              "1:49: expected ldapport=1 to 65535\n");
  EXPECT_EQ(said("ldapbasedn=a ldapscheme=ldaps ldaptls=1"),
            "1:1: expected ldaptls=1 with ldap only: ldaps is encrypted anyway\n");
  EXPECT_EQ(said("ldapbasedn=a ldaptls=yes"), "1:49: expected ldaptls=0 or ldaptls=1\n");
  EXPECT_EQ(said("ldapbasedn=a ldapscheme=http"),
            "1:49: expected ldapscheme=ldap or ldapscheme=ldaps\n");
}

}  // namespace
}  // namespace weir::config
