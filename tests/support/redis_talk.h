// Clients, a lane, leases and a model server with the link between them, driven the way src/session
// drives it: views are copied out before the link is called again, what it asks to see again is
// kept, a client that needs more than a lane waits until the lane owes it nothing. Shared by the
// unit tests and the fuzz targets.
#pragma once

#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model_redis.h"
#include "protocol/redis/link.h"

#include <weir/protocol/redis.h>

namespace weir::redis::script {

using protocol::Condition;
using protocol::Share;

inline void check(bool holds) {
  if (!holds) std::abort();
}

struct Server {
  ServerState state;
  std::unique_ptr<Connection> model;
  std::string coming;  // answers that are still under way
  std::string in;      // what the link wants to see again
  size_t want = 0;
  bool farewell = false;
  bool used = false;
};

struct Client {
  ClientState state;
  std::string in, out;
  std::string events;  // "lease" "end" "leave" "fail" "lost"
  size_t want = 0;
  Server* lease = nullptr;
  uint32_t turns = 0;  // that the lane owes
  bool over = false;
};

class World {
 public:
  using Connect = std::function<std::unique_ptr<Connection>()>;
  // In which pieces bytes come; who is at the other end.
  explicit World(size_t piece = SIZE_MAX, Connect connect = {})
      : protocol_(make_protocol()),
        link_(protocol_->link()),
        piece_(piece),
        connect_(std::move(connect)) {
    if (!connect_) connect_ = [this] { return std::make_unique<ModelConnection>(redis); };
    lane_ = &open();
  }

  ModelRedis redis;
  bool answers = true;  // else they come with go_on()
  bool lane_failed = false;

  size_t add_client() {
    clients_.emplace_back();
    return clients_.size();
  }
  Client& client(size_t id) { return clients_.at(id - 1); }
  Server& lane() { return *lane_; }
  const protocol::Link& link() const { return link_; }
  size_t leases_opened() const { return leases_opened_; }
  size_t servers() const { return servers_.size(); }

  void send(size_t id, Bytes bytes) {
    Client& from = client(id);
    for (size_t at = 0; at < bytes.size(); at += std::min(piece_, bytes.size() - at)) {
      if (from.over) return;
      from.in.append(bytes.substr(at, piece_));
      if (from.in.size() >= from.want) judge(id);
      if (answers) go_on();
    }
  }

  // Lets all answers arrive.
  void go_on() {
    for (bool moved = true; moved;) {
      moved = false;
      for (Server& server : servers_) {
        if (server.coming.empty()) continue;
        const std::string bytes = server.coming.substr(0, piece_);
        server.coming.erase(0, bytes.size());
        arrive(server, bytes);
        moved = true;
      }
    }
    for (size_t id = 1; id <= clients_.size(); ++id) {
      Client& each = client(id);
      if (each.lease && each.lease->model->closed && !each.over) lose(each);
    }
  }

  void arrive(Server& server, Bytes bytes) {
    server.in.append(bytes);
    if (server.in.size() < server.want) return;
    if (&server == lane_)
      while (share()) {
      }
    else
      for (size_t id = 1; id <= clients_.size(); ++id)
        if (client(id).lease == &server) return from_server(id);
  }

  // The client is gone: its lease is brought back to rest, or closed.
  void leave(size_t id) {
    Client& client = this->client(id);
    client.over = true;
    Server* server = std::exchange(client.lease, nullptr);
    if (!server) return;
    server->used = false;
    if (!server->in.empty() || link_.condition(server->state) == Condition::Broken)
      server->model->closed = true;
    else if (link_.condition(server->state) == Condition::Open)
      recover(*server);
  }

 private:
  Server& open() {
    servers_.emplace_back().model = connect_();
    servers_.back().used = true;
    return servers_.back();
  }

  Server& lend() {
    ++leases_opened_;
    for (Server& server : servers_) {
      if (server.used || server.model->closed) continue;
      check(link_.condition(server.state) == Condition::Clean);
      server.used = true;
      return server;
    }
    return open();
  }

  static std::string take(base::Gather& from) {
    std::string out;
    for (const iovec& piece : from.pieces())
      out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    from.clear();
    return out;
  }

  void judge(size_t id) {
    while (!client(id).over && step(id)) {
    }
  }

  bool step(size_t id) {
    Client& client = this->client(id);
    Server* server = client.lease ? client.lease : (lane_open_ ? lane_ : nullptr);
    const std::string in = client.in;
    base::Gather to_client, to_server;
    Sink sink{to_client, to_server};
    sink.owner = server == lane_ ? id : 0;
    sink.settled = client.turns == 0;
    const Progress progress =
        link_.on_client(client.state, server ? &server->state : nullptr, in, sink);
    check(progress.consumed <= in.size());
    const std::string sent = take(to_server);
    check(server || sent.empty());
    if (server) server->coming += server->model->feed(sent);
    check(server != lane_ || !lane_->model->half_command());
    const std::string own = take(to_client);
    check(own.empty() || client.lease || client.turns == 0);
    client.out += own;
    client.turns += sink.turns;
    client.in.erase(0, progress.consumed);
    client.want = 0;
    return decide(client, progress, sink);
  }

  bool decide(Client& client, const Progress& progress, const Sink& sink) {
    switch (progress.next) {
      case Next::Flush: return !client.in.empty();
      case Next::Feed:
        client.want = client.in.empty() ? 0 : progress.want;
        check(client.in.empty() || progress.want > client.in.size());
        if (sink.hold_may_end) end_hold(client);
        return false;
      case Next::NeedLane: check(!client.lease); return lane_open_ = true;
      case Next::NeedServer:
        check(!client.lease);
        if (client.turns > 0) return false;
        client.lease = &lend();
        client.events += " lease";
        return true;
      case Next::Leave: return end(client, " leave");
      case Next::Fail:
        if (!sink.error.text.empty()) link_.say_fatal(sink.error, client.out);
        return end(client, " fail");
      default: check(false);  // this protocol has no use for the others
    }
    return false;
  }

  bool end(Client& client, const char* event) {
    client.events += event;
    for (size_t id = 1; id <= clients_.size(); ++id)
      if (&this->client(id) == &client) leave(id);
    return false;
  }

  void end_hold(Client& client) {
    if (!client.lease || !client.lease->in.empty()) return;
    check(link_.condition(client.lease->state) == Condition::Clean);
    check(client.lease->model->at_rest());
    client.lease->used = false;
    client.lease = nullptr;
    client.events += " end";
  }

  void from_server(size_t id) {
    for (bool again = true; again && client(id).lease;) {
      Client& client = this->client(id);
      Server& server = *client.lease;
      const std::string in = server.in;
      base::Gather to_client, to_server;
      Sink sink{to_client, to_server};
      const Progress progress = link_.on_server(client.state, server.state, in, sink);
      check(progress.consumed <= in.size());
      check(to_server.empty());
      client.out += take(to_client);
      server.in.erase(0, progress.consumed);
      server.farewell = server.farewell || sink.retire;
      server.want = progress.want;
      if (progress.next == Next::Fail) {
        link_.say_fatal(sink.error, client.out);
        server.model->closed = true;
        return void(end(client, " fail"));
      }
      again = progress.next == Next::Flush && !server.in.empty();
      if (progress.next == Next::Feed && sink.hold_may_end) end_hold(client);
    }
  }

  bool share() {
    if (lane_failed) return false;
    std::vector<Share> shares;
    const std::string in = lane_->in;
    const Progress progress = link_.on_lane(lane_->state, in, shares);
    check(progress.consumed <= in.size());
    lane_->in.erase(0, progress.consumed);
    lane_->want = progress.want;
    for (const Share& each : shares) {
      if (each.owner == 0 || each.owner > clients_.size()) continue;
      Client& client = this->client(each.owner);
      if (client.over) continue;
      check(client.turns >= each.turns);
      client.out += each.bytes;
      client.turns -= each.turns;
      if (client.turns == 0 && each.turns > 0) judge(each.owner);
    }
    lane_failed = progress.next == Next::Fail;
    return progress.next == Next::Flush && !lane_->in.empty();
  }

  void lose(Client& client) {
    if (!client.lease->farewell)
      link_.say_fatal({base::ErrorKind::Unreachable, "server connection lost", "08006"},
                      client.out);
    end(client, " lost");
  }

  void recover(Server& server) {
    auto talk = link_.recover(server.state);
    check(talk != nullptr);
    std::string send;
    auto result = talk->start(send);
    server.coming += server.model->feed(send);
    std::string in = server.in;
    while (result.step == protocol::Step::Wait && !server.coming.empty()) {
      in += server.coming.substr(0, piece_);
      server.coming.erase(0, std::min(piece_, server.coming.size()));
      send.clear();
      result = talk->feed(in, send);
      in.erase(0, result.consumed);
    }
    if (result.step != protocol::Step::Done) server.model->closed = true;
  }

  std::unique_ptr<protocol::Protocol> protocol_;
  const protocol::Link& link_;
  size_t piece_;
  Connect connect_;
  std::deque<Server> servers_;
  std::deque<Client> clients_;
  Server* lane_ = nullptr;
  bool lane_open_ = false;
  size_t leases_opened_ = 0;
};

}  // namespace weir::redis::script
