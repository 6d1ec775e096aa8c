#include "places.h"

#include <unistd.h>

#include <cstdlib>

namespace weir::app {

namespace {

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

}  // namespace

std::string data_directory() {
  if (const char* dir = variable("XDG_DATA_HOME")) return std::string(dir) + "/weir";
  if (const char* home = variable("HOME")) return std::string(home) + "/.local/share/weir";
  return "/var/lib/weir";
}

std::string admin_socket() {
  const char* runtime = geteuid() == 0 ? "/run" : variable("XDG_RUNTIME_DIR");
  const std::string base = runtime ? std::string(runtime) + "/weir" : data_directory();
  return base + "/admin/.s.PGSQL.6432";
}

}  // namespace weir::app
