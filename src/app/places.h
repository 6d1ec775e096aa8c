// Where weir keeps its files when nobody says otherwise. Reads the environment; any thread.
#pragma once

#include <string>

namespace weir::app {

std::string data_directory();
// The admin socket, named as libpq wants it: /run/weir/admin/.s.PGSQL.6432, without root in
// $XDG_RUNTIME_DIR or the data directory.
std::string admin_socket();

}  // namespace weir::app
