// Clients, lanes, leases and model servers with the link between them, driven the way src/session
// drives it: views are copied out before the link is called again, what it asks to see again is
// kept, a lane of each flavour holds a server while that owes answers, a client that needs more
// waits until its lane owes it nothing, whatever is given back is brought into order or closed.
// Shared by the unit tests and the fuzz targets.
#pragma once

#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
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
  std::string events;  // "lease" "end" "attach" "refused" "leave" "fail" "lost" "killed"
  size_t want = 0;
  Server* lease = nullptr;
  uint32_t turns = 0;             // that its lane owes
  bool in_lane_piece = false;     // half of an answer from its lane has come
  LaneKind on = LaneKind::Light;  // which lane it is on
  bool later = false;             // it waits for answers from its lane
  bool wants_roll = false;
  bool over = false;
};

constexpr uint64_t kFirstClientId = 9000;  // as clients are told

class World {
 public:
  using Connect = std::function<std::unique_ptr<Connection>()>;
  // In which pieces bytes come; who is at the other end; how weir logs in there.
  explicit World(size_t piece = SIZE_MAX, Connect connect = {}, protocol::LoginTarget target = {})
      : protocol_(make_protocol()),
        link_(protocol_->link()),
        facts_(protocol_->facts()),
        piece_(piece),
        connect_(std::move(connect)),
        target_(std::move(target)) {
    if (!connect_) connect_ = [this] { return std::make_unique<ModelConnection>(redis); };
  }

  ModelRedis redis;
  bool answers = true;           // else they come with go_on()
  uint32_t window = UINT32_MAX;  // so many answers may a client be owed on a lane
  size_t rolls = 0;              // that clients have asked for
  bool lane_failed = false;
  bool leaked = false;          // a server has gone back with state that nobody knows of
  bool within_a_piece = false;  // weir has said something while a client was owed something else

  size_t add_client() {
    Client& client = clients_.emplace_back();
    client.state.id = kFirstClientId + clients_.size();
    return clients_.size();
  }
  Client& client(size_t id) { return clients_.at(id - 1); }
  // One that is open, as it owes answers.
  Server& lane(LaneKind kind = LaneKind::Light) {
    return *lanes_.at({flavour_of(kHome, kind == LaneKind::Hub ? 3 : 2), kind});
  }
  const protocol::Link& link() const { return link_; }
  size_t leases_opened() const { return leases_opened_; }
  size_t servers() const { return servers_.size(); }
  bool all_are_idle() const {
    for (const Server& each : servers_)
      if (each.used) return false;
    return true;
  }

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
      for (size_t i = 0; i < servers_.size(); ++i) {  // there may be more of them meanwhile
        Server& server = servers_[i];
        if (!server.model->closed) server.coming += server.model->feed({});
        check(server.used || server.coming.empty());
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
    for (const auto& [name, lane] : lanes_)
      if (lane == &server) return share(name);
    for (size_t id = 1; id <= clients_.size(); ++id)
      if (client(id).lease == &server) return from_server(id);
  }

  // The client is gone.
  void leave(size_t id) {
    Client& client = this->client(id);
    client.over = true;
    if (Server* server = std::exchange(client.lease, nullptr)) release(*server);
  }

 private:
  using LaneName = std::pair<uint64_t, LaneKind>;  // of what flavour

  LaneName name_of(const Client& client) const {
    return {link_.lane_flavour(client.state, client.on), client.on};
  }

  static std::string take(base::Gather& from) {
    std::string out;
    for (const iovec& piece : from.pieces())
      out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    from.clear();
    return out;
  }

  // ---------------------------------------------------------------- the pool

  Server& open() {
    Server& server = servers_.emplace_back();
    server.model = connect_();
    auto login = protocol_->login(target_);
    check(talk(server, *login).text.empty());
    server.state = static_cast<ServerState&>(*login->take_server());
    facts_->equip(server.state);
    return server;
  }

  // As pool::Pool does: one of this flavour first.
  Server& lend(uint64_t flavour) {
    Server* found = nullptr;
    for (Server& each : servers_)
      if (!each.used && !each.model->closed && (!found || each.state.flavour() == flavour))
        found = &each;
    if (!found) found = &open();
    check(link_.condition(found->state) == Condition::Clean && found->in.empty());
    found->used = true;
    return *found;
  }

  // As Worker::release() and the Caretaker do.
  void release(Server& server) {
    server.used = false;
    Condition condition = link_.condition(server.state);
    bool good = server.in.empty() && condition != Condition::Broken && !server.model->closed;
    if (good && condition == Condition::Open)
      good = talk(server, *link_.recover(server.state)).text.empty();
    if (auto reset = good ? link_.reset(server.state, "auto") : nullptr)
      good = talk(server, *reset).text.empty();
    if (!good || link_.condition(server.state) != Condition::Clean) {
      server.model->closed = true;
      server.coming.clear();
      return;
    }
    if (!server.model->at_rest() || !server.model->stands(server.state.database, server.state.resp))
      leaked = true;
    check(server.in.empty() && server.coming.empty());
  }

  // To its end, with the answers that it takes.
  Error talk(Server& server, protocol::Dialogue& talk) {
    std::string send, in = std::move(server.in);
    server.in.clear();
    auto result = talk.start(send);
    server.coming += server.model->feed(send);
    while (result.step == protocol::Step::Wait && !server.coming.empty()) {
      in += server.coming.substr(0, piece_);
      server.coming.erase(0, std::min(piece_, server.coming.size()));
      send.clear();
      result = talk.feed(in, send);
      server.coming += server.model->feed(send);
      in.erase(0, result.consumed);
    }
    if (result.step == protocol::Step::Fail) return talk.error();
    if (result.step != protocol::Step::Done || !in.empty() || !server.coming.empty())
      return {base::ErrorKind::Protocol, "the talk and the answers do not fit"};
    return {};
  }

  // ---------------------------------------------------------------- from clients

  void judge(size_t id) {
    while (!client(id).over &&
           (std::exchange(client(id).wants_roll, false) ? call_roll(id) : step(id))) {
    }
    close_lanes();
  }

  bool step(size_t id) { return call(id, nullptr); }

  // What all clients are like, as Worker tells of them.
  bool call_roll(size_t id) {
    ++rolls;
    const Client& asker = client(id);
    check(asker.lease ? asker.lease->state.ledger.empty() : asker.turns == 0);
    protocol::Roll roll;
    for (const Client& each : clients_) {
      if (each.over) continue;
      const ServerState* server = each.lease ? &each.lease->state : nullptr;
      protocol::Neighbour self{
          .id = each.state.id, .user = "default", .peer = "127.0.0.1:1", .description = {}};
      self.remote_id = server ? server->id : 0;
      self.description = link_.describe(each.state, server, self);
      roll.push_back(std::move(self));
    }
    return call(id, &roll);
  }

  bool call(size_t id, const protocol::Roll* roll) {
    Client& client = this->client(id);
    const auto lane = lanes_.find(name_of(client));
    Server* server = client.lease ? client.lease : lane != lanes_.end() ? lane->second : nullptr;
    check(client.turns == 0 || (server && !client.lease));
    const std::string in = client.in;
    base::Gather to_client, to_server;
    Sink sink{to_client, to_server};
    sink.owner = server && !client.lease ? id : 0;
    sink.settled = client.turns == 0;
    sink.turns_max = window > client.turns ? window - client.turns : 0;
    sink.lane = client.on;
    client.later = false;
    const bool may_speak = client.lease ? client.lease->state.answered() : client.turns == 0;
    sink.roll = roll;
    const Progress progress =
        link_.on_client(client.state, server ? &server->state : nullptr, in, sink);
    check(progress.consumed <= in.size());
    const std::string sent = take(to_server);
    check(server || sent.empty());
    if (server && !server->model->closed) server->coming += server->model->feed(sent);
    check(!server || client.lease || !server->model->half_command());
    const std::string own = take(to_client);
    within_a_piece = within_a_piece || !(own.empty() || may_speak);
    client.out += own;
    client.turns += sink.turns;
    client.in.erase(0, progress.consumed);
    client.want = 0;
    const bool again = decide(id, progress, sink);
    for (const uint64_t ended : sink.ends)
      if (!this->client(ended - kFirstClientId).over) end(ended - kFirstClientId, " killed", {});
    return again;
  }

  bool decide(size_t id, const Progress& progress, const Sink& sink) {
    Client& client = this->client(id);
    switch (progress.next) {
      case Next::Flush: return !client.in.empty();
      case Next::Feed:
        client.want = client.in.empty() ? 0 : progress.want;
        check(client.in.empty() || progress.want > client.in.size());
        if (sink.hold_may_end) end_hold(client);
        return false;
      case Next::NeedLane:
        check(!client.lease && client.turns == 0);
        client.on = sink.needs;
        return open_lane(client);
      case Next::NeedServer: check(!client.lease); return client.turns == 0 && take_lease(client);
      case Next::Reattach: check(client.lease != nullptr); return reattach(id);
      case Next::Roll: client.wants_roll = true; return true;
      case Next::Later:
        check(!client.in.empty());
        check(client.lease ? !client.lease->state.answered() : client.turns > 0);
        client.later = !client.lease;
        return false;
      case Next::Leave: return end(id, " leave", {});
      case Next::Fail: return end(id, " fail", sink.error);
    }
    return false;
  }

  bool open_lane(Client& client) {
    const LaneName name = name_of(client);
    const uint64_t flavour = name.first;
    if (lanes_.contains(name)) return true;
    Server& server = lend(flavour);
    if (auto change = link_.change_flavour(server.state, flavour))
      if (const Error why = talk(server, *change); !why.text.empty())
        return refuse(client, server, why);
    check(server.state.flavour() == flavour);
    lanes_[name] = &server;
    return true;
  }

  bool take_lease(Client& client) {
    ++leases_opened_;
    close_lanes();
    Server& server = lend(client.state.flavour());
    if (auto attach = link_.attach(client.state, server.state))
      if (const Error why = talk(server, *attach); !why.text.empty())
        return refuse(client, server, why);
    client.lease = &server;
    client.events += " lease";
    return true;
  }

  // The client cannot have what it wants, and lives on.
  bool refuse(Client& client, Server& server, const Error& why) {
    check(why.kind == base::ErrorKind::Refused);
    release(server);
    base::Gather to_client, to_server;
    Sink sink{to_client, to_server};
    const size_t used = link_.answer_error(client.state, why, client.in, sink);
    check(used > 0);
    client.in.erase(0, used);
    client.out += take(to_client);
    client.events += " refused";
    return !client.in.empty();
  }

  bool reattach(size_t id) {
    Client& client = this->client(id);
    Server& server = *client.lease;
    check(server.coming.empty() && server.in.empty());
    client.events += " attach";
    if (auto attach = link_.attach(client.state, server.state))
      if (const Error why = talk(server, *attach); !why.text.empty())
        return end(id, " refused", why);
    check(server.state.flavour() == client.state.flavour());
    return true;
  }

  // Nobody gets his last words within an answer.
  bool end(size_t id, const char* event, const Error& last_words) {
    Client& client = this->client(id);
    const bool mid_piece =
        client.in_lane_piece || (client.lease && link_.is_mid_piece(client.lease->state));
    if (!last_words.text.empty() && !mid_piece) link_.say_fatal(last_words, client.out);
    client.events += event;
    leave(id);
    return false;
  }

  void end_hold(Client& client) {
    if (!client.lease || !client.lease->in.empty() || !client.state.shares) return;
    check(link_.condition(client.lease->state) != Condition::Open);
    release(*std::exchange(client.lease, nullptr));
    client.events += " end";
  }

  // ---------------------------------------------------------------- from servers

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
        end(id, " fail", sink.error);
        server.model->closed = true;
        return;
      }
      again = progress.next == Next::Flush && !server.in.empty();
      if (progress.next == Next::Feed && sink.hold_may_end) end_hold(client);
    }
    if (!client(id).in.empty() && client(id).want == 0) judge(id);
  }

  void share(const LaneName& name) {
    sharing_ = true;
    for (bool again = true; again;) {
      Server& server = *lanes_.at(name);
      std::vector<Share> shares;
      const std::string in = server.in;
      const Progress progress = link_.on_lane(server.state, in, shares);
      check(progress.consumed <= in.size());
      server.in.erase(0, progress.consumed);
      server.want = progress.want;
      for (const Share& each : shares) give(each);
      if (progress.next == Next::Fail) lane_dies(name);
      again = progress.next == Next::Flush && !server.in.empty();
    }
    sharing_ = false;
    close_lanes();
  }

  void give(const Share& share) {
    check(share.owner > 0 && share.owner <= clients_.size());
    Client& client = this->client(share.owner);
    if (client.over) return;
    check(client.turns >= share.turns);
    client.out += share.bytes;
    client.turns -= share.turns;
    client.in_lane_piece = share.piece_open;
    const bool go_on = client.turns == 0 || (client.later && client.turns <= window / 2);
    if (go_on && share.turns > 0) judge(share.owner);
  }

  // With the last answer its server goes back.
  void close_lanes() {
    if (sharing_) return;
    for (auto lane = lanes_.begin(); lane != lanes_.end();) {
      Server& server = *lane->second;
      if (link_.owes(server.state)) {
        ++lane;
      } else {
        lane = lanes_.erase(lane);
        release(server);
      }
    }
  }

  void lane_dies(LaneName name) {
    lane_failed = true;
    Server& server = *lanes_.at(name);
    server.used = false;
    server.model->closed = true;
    server.coming.clear();
    lanes_.erase(name);
    for (size_t id = 1; id <= clients_.size(); ++id) {
      const Client& each = client(id);
      if (each.turns > 0 && name_of(each) == name && !each.over)
        end(id, " lost", {base::ErrorKind::Protocol, "the answer does not fit", "08P01"});
    }
  }

  void lose(Client& client) {
    Error why{base::ErrorKind::Unreachable, "server connection lost", "08006"};
    if (client.lease->farewell) why.text.clear();
    for (size_t id = 1; id <= clients_.size(); ++id)
      if (&this->client(id) == &client) end(id, " lost", why);
  }

  std::unique_ptr<protocol::Protocol> protocol_;
  const protocol::Link& link_;
  std::unique_ptr<protocol::Facts> facts_;
  size_t piece_;
  Connect connect_;
  protocol::LoginTarget target_;
  std::deque<Server> servers_;
  std::deque<Client> clients_;
  std::map<LaneName, Server*> lanes_;  // that are open
  size_t leases_opened_ = 0;
  bool sharing_ = false;
};

}  // namespace weir::redis::script
