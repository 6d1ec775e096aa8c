// The server half of the PostgreSQL protocol (PostgreSQL's manual, chapter 55), without a database:
// it lets clients in without a password (whoever dials has checked it), keeps statements, portals,
// settings and transaction blocks, and asks an Executor for the rest. Owned by an engine, which
// joins its threads before it destroys this. serve() on any loop's thread; each connection stays on
// its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <weir/base/limits.h>
#include <weir/base/result.h>
#include <weir/base/time.h>
#include <weir/net/loop.h>
#include <weir/net/stream.h>
#include <weir/pgserver/executor.h>

namespace weir::pgserver {

struct ServerOptions {
  size_t login_bytes_max = base::kLoginBytesMax;
  size_t message_bytes_max = 32 << 20;  // of one message
  size_t statements_max = 5000;         // prepared, for each connection
  size_t portals_max = 1000;
  size_t kept_bytes_max = 64 << 20;  // texts and parameters of both, for each connection
  size_t backlog_bytes = 64 * 1024;  // as much waits for a stream before rows are no longer made
  base::Duration login_timeout = 60 * base::kSecond;
};

using MakeExecutor = std::function<base::Result<std::unique_ptr<Executor>>(
    net::Loop& loop, SessionInfo& session, ExecutorClient& client)>;

// A client whose start-up dialogue somebody else has held, up to ReadyForQuery.
struct Greeted {
  std::string user;
  std::string database;
  int32_t process_id = 0;
  SettingMap settings;
};

class ServerCore;

class Server {
 public:
  Server(const ServerOptions& options, MakeExecutor make_executor);
  ~Server();
  void serve(net::Loop& loop, std::unique_ptr<net::Stream> stream);
  void serve_greeted(net::Loop& loop, std::unique_ptr<net::Stream> stream, const Greeted& greeted);
  size_t connections() const;

 private:
  std::unique_ptr<ServerCore> core_;
};

}  // namespace weir::pgserver
