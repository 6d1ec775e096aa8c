#include <gtest/gtest.h>

#include <weir/pgserver/settings.h>

namespace weir::pgserver {
namespace {

TEST(Settings, LocalValuesEndWithTheTransaction) {
  Settings settings;
  EXPECT_FALSE(settings.set("work_mem", "1MB"));
  EXPECT_FALSE(settings.set_local("work_mem", "2MB"));
  EXPECT_EQ(settings.show("work_mem"), "2MB");
  settings.end_transaction();
  EXPECT_EQ(settings.show("work_mem"), "1MB");
  EXPECT_FALSE(settings.set_local("work_mem", "2MB"));
  EXPECT_FALSE(settings.set("work_mem", "3MB"));
  EXPECT_EQ(settings.show("work_mem"), "3MB");
}

TEST(Settings, ResetGoesBackToTheStartUpValue) {
  Settings settings;
  EXPECT_FALSE(settings.set_initial("Application_Name", "first"));
  EXPECT_FALSE(settings.set("application_name", "second"));
  EXPECT_EQ(settings.show("APPLICATION_NAME"), "second");
  EXPECT_FALSE(settings.reset("application_name"));
  EXPECT_EQ(settings.show("application_name"), "first");
}

TEST(Settings, MarksGoBack) {
  Settings settings;
  const auto mark = settings.mark();
  EXPECT_FALSE(settings.set("search_path", "a, b"));
  EXPECT_FALSE(settings.set("my.own", "x"));
  settings.go_back(mark);
  EXPECT_EQ(settings.show("search_path"), "\"$user\", public");
  EXPECT_EQ(settings.show("my.own"), std::nullopt);
}

TEST(Settings, ValuesAreChecked) {
  Settings settings;
  const auto state = [&](std::string_view name, std::string_view value) {
    const auto error = settings.set(name, value);
    return error ? error->sqlstate : *settings.show(name);
  };
  EXPECT_EQ(state("nonsense", "1"), "42704");
  EXPECT_EQ(state("server_version", "1"), "55P02");
  EXPECT_EQ(state("is_superuser", "on"), "55P02");
  EXPECT_EQ(state("session_authorization", "root"), "55P02");
  EXPECT_EQ(state("client_encoding", "utf-8"), "UTF8");
  EXPECT_EQ(state("client_encoding", "LATIN1"), "22023");
  EXPECT_EQ(state("standard_conforming_strings", "off"), "22023");
  EXPECT_EQ(state("DateStyle", "German"), "22023");
  EXPECT_EQ(state("DateStyle", "iso, dmy"), "ISO, DMY");
  EXPECT_EQ(state("row_security", "perhaps"), "22023");
  EXPECT_EQ(state("row_security", "0"), "off");
  EXPECT_EQ(state("statement_timeout", "2min"), "2min");
  EXPECT_EQ(settings.duration("statement_timeout"), 120 * base::kSecond);
  EXPECT_EQ(state("statement_timeout", "fast"), "22023");
  EXPECT_EQ(state("statement_timeout", "-1"), "22023");
  EXPECT_EQ(state("a.b", std::string(100'000, 'x')), "22023");
}

TEST(Settings, CustomOnesAreCounted) {
  Settings settings;
  std::optional<SettingError> error;
  for (int i = 0; i < 1000 && !error; ++i) error = settings.set("own.x" + std::to_string(i), "1");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sqlstate, "53400");
}

TEST(Settings, WhatIsReported) {
  Settings settings;
  const SettingMap reported = settings.reported();
  for (const char* name :
       {"server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone",
        "integer_datetimes", "standard_conforming_strings", "IntervalStyle", "application_name",
        "is_superuser", "session_authorization"})
    EXPECT_EQ(reported.count(name), 1U) << name;
  EXPECT_EQ(reported.at("server_version").substr(0, 6), "15.0 (");
}

}  // namespace
}  // namespace weir::pgserver
