#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <weir/engine/sqlite.h>
#include <weir/pgserver/server.h>

#include "executor.h"

namespace weir::engine {

using base::Error;
using base::ErrorKind;
using base::Result;

namespace sqlite {
namespace {

class SqliteEngine final : public Engine {
 public:
  SqliteEngine(std::unique_ptr<std::atomic<bool>> closing, std::unique_ptr<Core> core)
      : closing_(std::move(closing)), core_(std::move(core)) {
    server_ = std::make_unique<pgserver::Server>(
        pgserver::ServerOptions{},
        [this](net::Loop& loop, pgserver::SessionInfo& session,
               pgserver::ExecutorClient& client) -> Result<std::unique_ptr<pgserver::Executor>> {
          return std::unique_ptr<pgserver::Executor>(
              std::make_unique<SqliteExecutor>(*core_, core_->state_of(loop), session, client));
        });
  }

  // The loops stand still: what runs on threads is told to stop, then the connections go, then the
  // handles.
  ~SqliteEngine() override {
    closing_->store(true);
    core_->stop();
    server_.reset();
  }

  void serve(net::Loop& loop, std::unique_ptr<net::Stream> stream) override {
    server_->serve(loop, std::move(stream));
  }

 private:
  std::unique_ptr<std::atomic<bool>> closing_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<pgserver::Server> server_;
};

Error system_error(const std::string& what) {
  return {ErrorKind::System, what + ": " + std::strerror(errno), "58030"};
}

// Makes what is missing of the path, for weir's own eyes only.
base::Status make_file(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
      return system_error("cannot create " + directory);
  }
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return system_error("cannot create " + path);
  close(file);
  return base::ok();
}

// The log makes readers and the writer independent of each other; everything here rests on it.
base::Status prepare_writer(Handle& writer, const SqliteOptions& options) {
  bool wal = false;
  const auto is_wal = [](void* found, int, char** values, char**) {
    *static_cast<bool*>(found) = values[0] && std::strcmp(values[0], "wal") == 0;
    return 0;
  };
  sqlite3_set_authorizer(writer.db(), nullptr, nullptr);
  const int code = sqlite3_exec(writer.db(), "PRAGMA journal_mode=WAL", is_wal, &wal, nullptr);
  harden(writer);
  if (code != SQLITE_OK || !wal) {
    const std::string why =
        code == SQLITE_OK ? "it cannot use a write-ahead log" : sqlite3_errmsg(writer.db());
    return Error{ErrorKind::System, "cannot open " + options.path + ": " + why,
                 sqlstate_of(code, "")};
  }
  const bool full = options.durability == Durability::Full;
  if (writer.run_own(full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL") != SQLITE_OK ||
      writer.run_own("PRAGMA journal_size_limit=67108864") != SQLITE_OK)
    return Error{ErrorKind::System, options.path + ": " + sqlite3_errmsg(writer.db()), "58030"};
  return base::ok();
}

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<Engine>> open_sqlite(const SqliteOptions& options) {
  using namespace sqlite;
  if (options.path.empty() || options.path[0] == ':')
    return Error{ErrorKind::Config, "a SQLite database needs the path of a file", "58P01"};
  if (options.create)
    if (auto made = make_file(options.path); !made) return made.error();
  struct stat status {};
  if (stat(options.path.c_str(), &status) != 0) return system_error("cannot open " + options.path);
  if (!S_ISREG(status.st_mode))
    return Error{ErrorKind::System, options.path + " is not a file", "58030"};
  if (options.heap_bytes_max > 0) sqlite3_hard_heap_limit64(options.heap_bytes_max);

  auto closing = std::make_unique<std::atomic<bool>>(false);
  HandleOptions handle;
  handle.path = options.path;
  handle.cache_kib = options.cache_kib;
  handle.busy_timeout = options.lock_timeout;
  handle.closing = closing.get();
  handle.role = Role::Writer;
  auto writer = Handle::open(handle);
  if (!writer) return writer.error();
  if (auto prepared = prepare_writer(**writer, options); !prepared) return prepared.error();
  handle.role = Role::Keeper;
  auto keeper = Handle::open(handle);
  if (!keeper) return keeper.error();
  handle.role = Role::Reader;
  auto core =
      std::make_unique<Core>(options, handle, Handles{std::move(*writer), std::move(*keeper)});
  return std::unique_ptr<Engine>(
      std::make_unique<SqliteEngine>(std::move(closing), std::move(core)));
}

}  // namespace weir::engine
