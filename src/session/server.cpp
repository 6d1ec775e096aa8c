#include "server.h"

namespace weir::session {

PooledServer::PooledServer(Worker& home, Backend& backend, std::unique_ptr<net::Stream> stream,
                           std::unique_ptr<protocol::ServerState> state)
    : home_(&home),
      backend_(backend.shared_from_this()),
      stream_(std::move(stream)),
      state_(std::move(state)) {
  id = home.next_server_id();
  worker = home.id();
  stream_->set_reader(this);
  home_->servers_.emplace(id, this);
}

PooledServer::~PooledServer() {
  if (home_) home_->servers_.erase(id);
}

void PooledServer::use(ServerUser* user) {
  user_ = user;
  stream_->set_reader(this);
}

void PooledServer::leave() {
  home_->servers_.erase(id);
  home_ = nullptr;
  stream_->leave();
}

void PooledServer::join(Worker& to) {
  home_ = &to;
  worker = to.id();
  stream_->join(to.loop());
  stream_->set_reader(this);
  home_->servers_.emplace(id, this);
}

void PooledServer::on_bytes(base::Bytes bytes) {
  home_->stats(*backend_).server_in.add(static_cast<int64_t>(bytes.size()));
  if (user_) return user_->on_server_bytes(bytes);
  if (!backend_->link().on_idle_server(*state_, bytes)) home_->broken(*this, CloseReason::Broken);
}

void PooledServer::on_end(const base::Error& why) {
  ended = true;
  if (user_) return user_->on_server_end(why);
  home_->broken(*this, CloseReason::Lost);
}

void PooledServer::on_writable() {
  if (user_) user_->on_server_writable();
}

}  // namespace weir::session
