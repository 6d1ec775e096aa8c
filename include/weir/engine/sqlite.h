// A SQLite database file as a PostgreSQL server inside weir: many readers, one writer, READ
// COMMITTED as PostgreSQL has it. One engine for each file, owned by app; see
// <weir/pgserver/engine.h> for its life and its threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <weir/base/result.h>
#include <weir/base/time.h>
#include <weir/pgserver/engine.h>

namespace weir::engine {

enum class Durability : uint8_t {
  Normal,  // survives a crash of weir; the last transactions may be lost when the machine fails
  Full,    // each commit waits for the disk
};

struct SqliteOptions {
  std::string path;
  bool create = false;  // the file (0600) and its directory (0700), when they are not there
  Durability durability = Durability::Normal;
  base::Duration lock_timeout =
      30 * base::kSecond;  // to become the writer; a session's lock_timeout goes first
  base::Duration writer_idle_timeout = 10 * base::kSecond;  // of a transaction that has written
  int64_t read_budget_steps = 50'000;  // of SQLite's machine on a loop, about half a millisecond
  size_t helper_threads = 4;
  size_t readers_max = 64;  // connections to the file, for reading
  int cache_kib = 4096;     // of each of them
  int64_t heap_bytes_max = int64_t{1}
                           << 30;  // SQLite's, in the whole process; 0: leave it as it is
};

base::Result<std::unique_ptr<Engine>> open_sqlite(const SqliteOptions& options);

}  // namespace weir::engine
