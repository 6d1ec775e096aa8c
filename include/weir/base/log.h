// The log. Any thread; never blocks a worker for long: lines go through spdlog's asynchronous
// queue, which drops its oldest line rather than wait. Statement text only without literals;
// secrets never.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include <weir/base/result.h>

namespace weir::base {

enum class LogLevel { Trace, Debug, Info, Warn, Error, Off };

struct LogOptions {
  LogLevel level = LogLevel::Info;
  bool json = false;
  std::string file = "stderr";  // a path, stderr or stdout
};

Status open_log(
    const LogOptions& options);  // also reopens; lines before the first open go to stderr
void close_log();                // writes out what is queued
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view text);

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace weir::base
