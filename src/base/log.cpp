#include <weir/base/log.h>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>

namespace weir::base {

namespace {

// tidy(no-globals): a process has one log, and every floor writes to it.
std::mutex open_mutex;
// The logger lives until close_log(); opening again only changes where its lines go.
std::shared_ptr<spdlog::sinks::dist_sink_mt> outlet;
std::atomic<int> level_now{static_cast<int>(LogLevel::Info)};
std::atomic<bool> json_now{false};
std::atomic<bool> is_open{false};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  return static_cast<spdlog::level::level_enum>(level == LogLevel::Off ? 6
                                                                       : static_cast<int>(level));
}

spdlog::sink_ptr make_sink(const std::string& file) {
  if (file == "stderr") return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (file == "stdout") return std::make_shared<spdlog::sinks::stdout_sink_mt>();
  return std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
}

void make_logger() {
  spdlog::init_thread_pool(8192, 1);
  outlet = std::make_shared<spdlog::sinks::dist_sink_mt>();
  auto logger = std::make_shared<spdlog::async_logger>(
      "weir", outlet, spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog::level::trace);  // filtered by log_enabled()
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

// A line stays one line, whatever names and texts of others are in it.
std::string escape_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\n')
      out += "\\n";
    else if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out.push_back(c);
  }
  return out;
}

std::string escape_json(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out.push_back(c);
  }
  return out;
}

}  // namespace

Status open_log(const LogOptions& options) {
  const std::lock_guard lock(open_mutex);
  try {
    auto sink = make_sink(options.file);
    sink->set_pattern(options.json
                          ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})"
                          : "%Y-%m-%d %H:%M:%S.%e %L %v");
    if (!outlet) make_logger();
    outlet->set_sinks({sink});
  } catch (const std::exception& e) {
    return Error{ErrorKind::System, fmt::format("log file {}: {}", options.file, e.what())};
  }
  level_now = static_cast<int>(options.level);
  json_now = options.json;
  is_open.store(true, std::memory_order_release);
  return ok();
}

void close_log() {
  const std::lock_guard lock(open_mutex);
  if (!is_open.exchange(false)) return;
  // First the thread that writes: it ends when it has written all, and the outlet is ours alone
  // then.
  spdlog::details::registry::instance().set_tp(nullptr);
  outlet.reset();
  spdlog::shutdown();
}

bool log_enabled(LogLevel level) {
  return static_cast<int>(level) >= level_now.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view text) {
  spdlog::logger* logger =
      is_open.load(std::memory_order_acquire) ? spdlog::default_logger_raw() : nullptr;
  if (!logger) {  // not open yet, or closed
    fmt::print(stderr, "{}\n", text);
    return;
  }
  if (json_now.load(std::memory_order_relaxed))
    logger->log(to_spdlog(level), "{}", escape_json(text));
  else
    logger->log(to_spdlog(level), "{}", escape_text(text));
}

}  // namespace weir::base
