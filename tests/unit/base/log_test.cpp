// Where lines of the log go, and which.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <weir/base/log.h>

namespace weir::base {
namespace {

std::string contents(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

// Lines before the first open used to go to the standard output.
TEST(Log, BeforeItIsOpenLinesGoToStderr) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  log(LogLevel::Info, "early {}", 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "early 1\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(Log, LevelsFormatsAndReopening) {
  const auto folder = std::filesystem::temp_directory_path();
  const std::string first = folder / ("weir-log-1-" + std::to_string(getpid()));
  const std::string second = folder / ("weir-log-2-" + std::to_string(getpid()));
  LogOptions options;
  options.file = first;
  ASSERT_TRUE(open_log(options));
  EXPECT_FALSE(log_enabled(LogLevel::Debug));
  log(LogLevel::Debug, "hidden");
  log(LogLevel::Info, "shown {}", 2);
  log(LogLevel::Info, "user \"a\n2026-11-21 I forged\x1b[0m\"");
  close_log();
  options.file = second;
  options.json = true;
  options.level = LogLevel::Debug;
  ASSERT_TRUE(open_log(options));
  log(LogLevel::Debug, "a \"quoted\"\n\\ line");
  close_log();
  EXPECT_NE(contents(first).find(" I shown 2\n"), std::string::npos) << contents(first);
  EXPECT_EQ(contents(first).find("hidden"), std::string::npos);
  EXPECT_NE(contents(first).find(R"(user "a\n2026-11-21 I forged\x1b[0m")"), std::string::npos);
  EXPECT_NE(contents(second).find(R"("message":"a \"quoted\"\u000a\\ line"})"), std::string::npos)
      << contents(second);
  std::filesystem::remove(first);
  std::filesystem::remove(second);
}

TEST(Log, AFileThatCannotBeOpenedIsAnError) {
  LogOptions options;
  options.file = "/dev/null/weir.log";
  const Status status = open_log(options);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().text.find("/dev/null/weir.log"), std::string::npos);
}

}  // namespace
}  // namespace weir::base
