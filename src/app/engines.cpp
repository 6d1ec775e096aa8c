#include "engines.h"

#include <weir/engine/sqlite.h>

#include "dialler.h"

namespace weir::app {

base::Result<std::shared_ptr<session::Dialler>> Engines::dialler_for(
    const config::Database& database) {
  if (database.protocol != "sqlite") return std::shared_ptr<session::Dialler>();
  const std::string& path = database.url.path;
  const std::lock_guard lock(mutex_);
  auto& engine = by_path_[path];
  if (!engine) {
    const bool full = database.durability == config::Durability::Full;
    auto opened = engine::open_sqlite(
        {.path = path,
         .create = database.create,
         .durability = full ? engine::Durability::Full : engine::Durability::Normal});
    if (!opened) {
      by_path_.erase(path);
      return opened.error();
    }
    engine = std::move(*opened);
  }
  return std::shared_ptr<session::Dialler>(std::make_shared<EngineDialler>(*engine, path));
}

}  // namespace weir::app
