#include "process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace weir::app {

namespace {

// proc(5), /proc/pid/stat: fields are numbered from 1; the second, the command, may hold spaces and
// parentheses.
void read_stat(ProcessFigures& out, double& started_ticks) {
  std::ifstream in("/proc/self/stat");
  std::string line;
  std::getline(in, line);
  const size_t after_command = line.rfind(')');
  if (after_command == std::string::npos) return;
  std::istringstream fields(line.substr(after_command + 1));
  std::string state;
  fields >> state;
  double value[25] = {};
  for (int field = 4; field <= 24; ++field) fields >> value[field];
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  out.cpu_seconds = (value[14] + value[15]) / ticks;
  out.threads = value[20];
  started_ticks = value[22] / ticks;
  out.virtual_bytes = value[23];
  out.resident_bytes = value[24] * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double boot_time() {
  std::ifstream in("/proc/stat");
  std::string word;
  while (in >> word) {
    double seconds = 0;
    if (word == "btime" && in >> seconds) return seconds;
    std::getline(in, word);
  }
  return 0;
}

double count_files() {
  std::error_code failed;
  double count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", failed), end; !failed && at != end;
       at.increment(failed))
    ++count;
  return count > 0 ? count - 1 : 0;  // one is the directory's own
}

}  // namespace

ProcessFigures process_figures() {
  ProcessFigures out;
  double started_ticks = 0;
  read_stat(out, started_ticks);
  out.started_at = boot_time() + started_ticks;
  out.open_files = count_files();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    out.open_files_max = static_cast<double>(limit.rlim_cur);
  return out;
}

}  // namespace weir::app
