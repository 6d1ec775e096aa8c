#include <weir/engine/console.h>
#include <weir/pgserver/server.h>

#include "executor.h"

namespace weir::engine {

namespace console {
namespace {

class ConsoleEngine final : public Engine {
 public:
  explicit ConsoleEngine(ConsoleOptions options)
      : options_(std::move(options)),
        server_(pgserver::ServerOptions{},
                [this](net::Loop& loop, pgserver::SessionInfo& session,
                       pgserver::ExecutorClient& client) { return make(loop, session, client); }) {}

  void serve(net::Loop& loop, std::unique_ptr<net::Stream> stream) override {
    server_.serve(loop, std::move(stream));
  }

 private:
  using Made = base::Result<std::unique_ptr<pgserver::Executor>>;
  Made make(net::Loop& loop, pgserver::SessionInfo& session, pgserver::ExecutorClient& client) {
    if (options_.role_of(session.user) == AdminRole::None)
      return base::Error{base::ErrorKind::Refused,
                         "user \"" + session.user + "\" may not use the console", "28000"};
    const ConsoleExecutor::Seat seat{loop, session, client};
    return Made(std::make_unique<ConsoleExecutor>(options_, seat));
  }

  const ConsoleOptions options_;
  pgserver::Server server_;  // last: its executors look at the options
};

}  // namespace
}  // namespace console

std::unique_ptr<Engine> make_console(ConsoleOptions options) {
  return std::make_unique<console::ConsoleEngine>(std::move(options));
}

}  // namespace weir::engine
