#include "protocol/postgres/startup.h"

#include "script.h"

namespace weir::postgres {
namespace {

using namespace std::literals;

SettingMap options(std::string_view text) {
  SettingMap settings;
  const auto status = read_options(text, settings);
  EXPECT_TRUE(status) << text;
  return settings;
}
std::string option_error(std::string_view text) {
  SettingMap settings;
  const auto status = read_options(text, settings);
  return status ? "none" : status.error().code;
}

TEST(Options, AreReadAsPostgresReadsThem) {
  using Map = SettingMap;
  EXPECT_EQ(options(""), Map());
  EXPECT_EQ(options(" \t\n"), Map());
  EXPECT_EQ(options("-c a=b"), (Map{{"a", "b"}}));
  EXPECT_EQ(options("-ca=b"), (Map{{"a", "b"}}));
  EXPECT_EQ(options("--a=b"), (Map{{"a", "b"}}));
  EXPECT_EQ(options("-c a=b -c c=d"), (Map{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(options("--statement-timeout=5s"), (Map{{"statement_timeout", "5s"}}));
  EXPECT_EQ(options("-c Statement-Timeout=a-b"), (Map{{"statement_timeout", "a-b"}}));
  EXPECT_EQ(options("-c a=b\\ c\\\\d"), (Map{{"a", "b c\\d"}}));
  EXPECT_EQ(options("  -c   a=x=y  "), (Map{{"a", "x=y"}}));
  EXPECT_EQ(options("-c a="), (Map{{"a", ""}}));
  EXPECT_EQ(options("-c a=1 -c a=2"), (Map{{"a", "2"}}));
  EXPECT_EQ(options("-c my.own=1"), (Map{{"my.own", "1"}}));
  EXPECT_EQ(options("-c a=b\\"), (Map{{"a", "b"}}));
}

TEST(Options, ThatMakeNoSenseAreRefused) {
  for (const auto text : {"a=b", "-c", "-c a", "-ca", "--a", "--", "-x 1", "-", "\\ -c a=b"})
    EXPECT_EQ(option_error(text), "42601") << text;
  for (const auto text :
       {"-c =b", "--=b", "-c a\\ b=c", "-c a;b=c", "-c 1a=b", "-c a.=b", "-c .a=b", "-c a'=b"})
    EXPECT_EQ(option_error(text), "42704") << text;
  EXPECT_EQ(option_error("-c server_version=1"), "55P02");
}

base::Result<Startup> read(const SettingList& parameters) {
  const std::string packet = script::startup(parameters);
  return read_startup(kVersion30, base::Bytes(packet).substr(8));
}

TEST(Startup, TakesParametersForSettings) {
  const auto startup = read({{"user", "u"},
                             {"options", "-c datestyle=ISO -c geqo=off"},
                             {"DateStyle", "German"},
                             {"application_name", "App"},
                             {"replication", "off"}});
  ASSERT_TRUE(startup);
  EXPECT_EQ(startup.value().user, "u");
  EXPECT_EQ(startup.value().database, "u");
  EXPECT_EQ(startup.value().settings,
            (SettingMap{{"datestyle", "German"}, {"geqo", "off"}, {"application_name", "App"}}));
  EXPECT_FALSE(startup.value().negotiate);
}

TEST(Startup, ReadsReplicationAsABooleanOrTheWordDatabase) {
  using protocol::Replication;
  const auto read_as = [](const char* value) {
    return read({{"user", "u"}, {"replication", value}})->replication;
  };
  for (const auto value : {"true", "t", "on", "1", "YES"})
    EXPECT_EQ(read_as(value), Replication::Physical) << value;
  EXPECT_EQ(read_as("database"), Replication::Logical);
  EXPECT_EQ(read_as("off"), Replication::None);
  for (const auto value : {"", "o", "maybe", "Database"})
    EXPECT_EQ(read({{"user", "u"}, {"replication", value}}).error().code, "22023") << value;
  for (const auto value : {"false", "f", "OFF", "of", "0", "no", "n"})
    EXPECT_TRUE(read({{"user", "u"}, {"replication", value}})) << value;
}

TEST(Startup, IsStrict) {
  for (const auto parameters :
       {""sv, "\0"sv, "user\0u\0"sv, "user\0u"sv, "user\0"sv, "user"sv, "user\0u\0\0x"sv,
        "user\0u\0\0\0"sv, "user\0u\0a\0\0"sv, "user\0u\0a\0"sv, "user\0\0\0"sv,
        "database\0d\0\0"sv, "user\0u\0user\0v\0\0"sv, "user\0u\0geqo\0on\0GEQO\0off\0\0"sv,
        "user\0\xff\0\0"sv, "user\0u\0a\0\xc0\x80\0\0"sv, "user\0u\0\xe4\0b\0\0"sv}) {
    const auto startup = read_startup(kVersion30, parameters);
    ASSERT_FALSE(startup) << parameters;
    EXPECT_EQ(startup.error().code, "08P01") << parameters;
  }
  EXPECT_TRUE(read_startup(kVersion30, "user\0u\0a\0\0\0"sv));
}

TEST(Startup, RefusesSettingsThatNobodyCanSet) {
  EXPECT_EQ(read({{"user", "u"}, {"is_superuser", "on"}}).error().code, "55P02");
  EXPECT_EQ(read({{"user", "u"}, {"a b", "on"}}).error().code, "42704");
  EXPECT_EQ(read({{"user", "u"}, {"options", "nonsense"}}).error().code, "42601");
}

TEST(Startup, NegotiatesAndRefusesVersions) {
  const auto at = [](uint32_t minor) { return read_startup(kVersion30 + minor, "user\0u\0\0"sv); };
  for (const uint32_t minor : {0u, 1u, 2u}) {
    EXPECT_FALSE(at(minor)->negotiate);
    EXPECT_EQ(at(minor)->version, kVersion30 + minor);
  }
  EXPECT_TRUE(at(9999)->negotiate);
  EXPECT_EQ(at(9999)->version, kVersion32);
  const auto startup = read({{"user", "u"}, {"_pq_.a", "1"}, {"_pq_.b", "2"}});
  EXPECT_TRUE(startup.value().negotiate);
  EXPECT_EQ(startup.value().unknown_options, (std::vector<std::string>{"_pq_.a", "_pq_.b"}));
  EXPECT_TRUE(startup.value().settings.empty());
  for (const uint32_t version : {0u, 1u << 16, 2u << 16, 4u << 16, 1234u << 16 | 5680, 0xffffffffu})
    EXPECT_EQ(read_startup(version, "user\0u\0\0"sv).error().code, "0A000") << version;
}

TEST(ApplicationName, IsPlainWhenNoServerWouldChangeIt) {
  EXPECT_TRUE(is_plain_application_name("psql"));
  EXPECT_TRUE(is_plain_application_name(std::string(63, 'x')));
  EXPECT_FALSE(is_plain_application_name(std::string(64, 'x')));
  EXPECT_FALSE(is_plain_application_name("tab\t"));
  EXPECT_FALSE(is_plain_application_name("\xc3\xa4"));
}

}  // namespace
}  // namespace weir::postgres
