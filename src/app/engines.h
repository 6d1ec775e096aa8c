// The servers that live inside weir: one engine for each database file, kept over reloads. Owned by
// the daemon; destroyed when the loops have stopped and before they go.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <weir/config/config.h>
#include <weir/pgserver/engine.h>
#include <weir/session/backend.h>

namespace weir::app {

class Engines {
 public:
  // Null for a database whose servers are elsewhere. Opens the file when it is first asked for. Any
  // thread.
  base::Result<std::shared_ptr<session::Dialler>> dialler_for(const config::Database& database);

 private:
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<engine::Engine>> by_path_;
};

}  // namespace weir::app
