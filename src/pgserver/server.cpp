#include <weir/pgserver/server.h>

#include <weir/base/crypto.h>

#include "connection.h"
#include "server_core.h"

namespace weir::pgserver {

ServerCore::ServerCore(const ServerOptions& server_options, MakeExecutor make)
    : options(server_options),
      make_executor(std::move(make)),
      protocol_(postgres::make_protocol(texts_)),
      last_process_id_(base::random_u32() & 0xfffff) {}

ServerCore::~ServerCore() = default;

Connection& ServerCore::add(net::Loop& loop, std::unique_ptr<net::Stream> stream) {
  auto connection = std::make_unique<Connection>(*this, loop, std::move(stream));
  Connection& added = *connection;
  const std::lock_guard lock(mutex_);
  connections_.emplace(&added, std::move(connection));
  return added;
}

void ServerCore::remove(Connection& connection) {
  std::unique_ptr<Connection> removed;
  {
    const std::lock_guard lock(mutex_);
    const auto it = connections_.find(&connection);
    if (it == connections_.end()) return;
    removed = std::move(it->second);
    connections_.erase(it);
    const auto enrolled = enrolled_.find(connection.process_id());
    if (enrolled != enrolled_.end() && enrolled->second.connection == &connection)
      enrolled_.erase(enrolled);
  }
  net::Loop& loop = connection.loop();
  loop.delete_later(std::move(removed));
}

size_t ServerCore::size() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

int32_t ServerCore::new_process_id() {
  const std::lock_guard lock(mutex_);
  for (;;) {
    const auto id = static_cast<int32_t>(++last_process_id_ & 0x7fffffff);
    if (id != 0 && enrolled_.count(id) == 0) return id;
  }
}

void ServerCore::enrol(int32_t process_id, std::string key, Connection& connection) {
  const std::lock_guard lock(mutex_);
  enrolled_.insert_or_assign(process_id, Enrolled{std::move(key), &connection});
}

void ServerCore::cancel(uint64_t process_id, const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = enrolled_.find(static_cast<int32_t>(process_id));
  if (process_id > 0x7fffffff || it == enrolled_.end()) return;
  if (!base::equal_constant_time(it->second.key, key)) return;
  Connection* meant = it->second.connection;
  const auto id = static_cast<int32_t>(process_id);
  meant->loop().mailbox().post_call([this, id, meant] { deliver_cancel(id, meant); });
}

// On the thread of the connection's loop, the only one that removes it.
void ServerCore::deliver_cancel(int32_t process_id, const Connection* meant) {
  Connection* found = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto it = enrolled_.find(process_id);
    if (it != enrolled_.end() && it->second.connection == meant) found = it->second.connection;
  }
  if (found) found->cancel();
}

Server::Server(const ServerOptions& options, MakeExecutor make_executor)
    : core_(std::make_unique<ServerCore>(options, std::move(make_executor))) {}
Server::~Server() = default;

void Server::serve(net::Loop& loop, std::unique_ptr<net::Stream> stream) {
  core_->add(loop, std::move(stream)).start();
}
void Server::serve_greeted(net::Loop& loop, std::unique_ptr<net::Stream> stream,
                           const Greeted& greeted) {
  core_->add(loop, std::move(stream)).start_greeted(greeted);
}
size_t Server::connections() const { return core_->size(); }

}  // namespace weir::pgserver
