// Clients, lanes, leases and model servers with the link between them, driven the way src/session
// drives it: views are copied out before the link is called again, what it asks to see again is
// kept, a lane of each flavour holds a server while that owes answers, a client that needs more
// waits until its lane owes it nothing, whatever is given back is brought into order or closed.
#pragma once

#include <weir/protocol/redis.h>

#include <algorithm>
#include <deque>

#include "redis_again.h"
#include "redis_peers.h"

namespace weir::redis::script {

using protocol::Condition;
using protocol::Share;

constexpr uint64_t kFirstClientId = 9000;  // as clients are told

class World {
 public:
  using Connect = std::function<std::unique_ptr<Connection>()>;
  // In which pieces bytes come; who is at the other end; how weir logs in there.
  explicit World(size_t piece = SIZE_MAX, Connect connect = {}, protocol::LoginTarget target = {})
      : protocol_(make_protocol()),
        link_(protocol_->link()),
        shared_(*protocol_->lanes()),
        facts_(protocol_->facts()),
        piece_(piece),
        connect_(std::move(connect)),
        target_(std::move(target)) {
    if (!connect_) connect_ = [this] { return std::make_unique<ModelConnection>(redis); };
  }

  ModelRedis redis;
  bool answers = true;           // else they come with go_on()
  uint32_t window = UINT32_MAX;  // so many answers may a client be owed on a lane
  bool hub = false;              // clients that listen share a server
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
  Server& lane(LaneKind kind = LaneKind::Light) { return *lanes_.at(usual(kind)); }
  const protocol::Link& link() const { return link_; }
  protocol::Facts& facts() { return *facts_; }
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
        if (server.coming.empty()) continue;
        check(server.used);
        const std::string bytes = server.coming.substr(0, piece_);
        server.coming.erase(0, bytes.size());
        arrive(server, bytes);
        moved = true;
      }
    }
    for (size_t id = 1; id <= clients_.size(); ++id) {
      Client& each = client(id);
      if (each.lease && each.lease->model->closed && !each.over) lose(id);
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

  // A lane's server is gone.
  void lose_lane(LaneKind kind) {
    lane_dies(usual(kind), {base::ErrorKind::Unreachable, "server connection lost", "08006"});
  }
  bool has_lane(LaneKind kind) const {
    const auto fits = [kind](const auto& each) { return each.first.second == kind; };
    return std::ranges::any_of(lanes_, fits);
  }

  // The client is gone.
  void leave(size_t id) {
    Client& client = this->client(id);
    client.over = true;
    for (const auto& [name, server] : lanes_) {
      if (name.second != LaneKind::Hub) continue;
      base::Gather to_server;
      shared_.leave(server->state, id, to_server);
      server->coming += server->model->feed(take(to_server));
    }
    if (Server* server = std::exchange(client.lease, nullptr)) release(*server);
  }

 private:
  using LaneName = std::pair<uint64_t, LaneKind>;  // of what flavour
  static LaneName usual(LaneKind kind) {
    return {flavour_of(kHome, kind == LaneKind::Hub ? 3 : 2), kind};
  }

  LaneName name_of(const Client& client) const {
    const bool stays = client.turns > 0 || client.state.listens();
    return {stays ? client.lane_flavour : shared_.flavour(client.state, client.on), client.on};
  }
  static bool is_settled(const Client& client) {
    return client.turns == 0 && !client.in_lane_piece;
  }

  // ---------------------------------------------------------------- the pool

  Server& open() {
    Server& server = servers_.emplace_back();
    server.model = connect_();
    auto login = protocol_->login(target_);
    check(talk(server, *login).text.empty());
    server.state = std::move(static_cast<ServerState&>(*login->take_server()));
    facts_->learn(server.state);
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
      self.listens = server && shared_.has_listeners(*server);
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
    if (server && !client.lease) client.lane_flavour = lane->first.first;
    const std::string in = client.in;
    base::Gather to_client, to_server;
    Sink sink{to_client, to_server};
    sink.owner = server && !client.lease ? id : 0;
    sink.settled = is_settled(client);
    sink.has_hub = hub;
    sink.turns_max = window > client.turns ? window - client.turns : 0;
    sink.lane = client.on;
    client.later = false;
    const bool may_speak = client.lease ? client.lease->state.answered() : is_settled(client);
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
        check(client.in.empty() || progress.want > client.in.size() ||
              (progress.want == 0 && sink.hold_may_end));
        if (sink.hold_may_end) end_hold(client);
        return !client.lease && !client.in.empty() && client.want == 0;
      case Next::NeedLane:
        check(!client.lease && is_settled(client) && !client.state.listens());
        client.on = sink.needs;
        return open_lane(client);
      case Next::NeedServer: check(!client.lease); return is_settled(client) && take_lease(client);
      case Next::Reattach: check(client.lease != nullptr); return reattach(id);
      case Next::Roll: client.wants_roll = true; return true;
      case Next::Login:  // the servers stay the same here, whoever it is
        if (client.lease) return end_hold(client), true;
        return log_in_again(*protocol_, client.state, {client.in, client.out, client.events});
      case Next::Later:
        check(!client.in.empty());
        check(client.lease ? !client.lease->state.answered() : !is_settled(client));
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
    client.lane_flavour = flavour;
    if (lanes_.contains(name)) return true;
    Server& server = lend(flavour);
    if (auto change = shared_.change_flavour(server.state, flavour))
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
    if (!last_words.text.empty() && !mid_piece)
      link_.say_fatal(client.state, last_words, client.out);
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
    say_kept(client(id));
    if (!client(id).in.empty() && client(id).want == 0) judge(id);
  }

  void share(const LaneName& name) {
    sharing_ = true;
    for (bool again = true; again;) {
      Server& server = *lanes_.at(name);
      std::vector<Share> shares;
      const std::string in = server.in;
      base::Gather to_server;
      const Progress progress = shared_.on_server(server.state, in, shares, to_server);
      server.coming += server.model->feed(take(to_server));
      check(progress.consumed <= in.size());
      server.in.erase(0, progress.consumed);
      server.want = progress.want;
      for (const Share& each : shares) give(each);
      if (progress.next == Next::Fail) {
        lane_failed = true;
        lane_dies(name, {base::ErrorKind::Protocol, "the answer does not fit", "08P01"});
      }
      again = progress.next == Next::Flush && !server.in.empty();
    }
    sharing_ = false;
    close_lanes();
  }

  void give(const Share& share) {
    check(share.owner > 0 && share.owner <= clients_.size());
    Client& client = this->client(share.owner);
    if (client.over) return;
    check(client.turns >= share.turns && !(share.push && share.turns > 0));
    check(share.push || !client.lease);
    client.in_lane_piece = share.piece_open;
    const bool keeps =
        share.push &&
        (!client.kept.empty() ||
         (client.lease && (share.piece_open || link_.is_mid_piece(client.lease->state))));
    (keeps ? client.kept : client.out).append(share.head).append(share.bytes);
    say_kept(client);
    client.turns -= share.turns;
    if (share.turns == 0) {
      if (!client.lease && is_settled(client) && !client.in.empty() && client.want == 0)
        judge(share.owner);
      return;
    }
    if (client.turns == 0 || (client.later && client.turns <= window / 2)) judge(share.owner);
  }

  void say_kept(Client& client) {
    if (client.in_lane_piece || (client.lease && link_.is_mid_piece(client.lease->state))) return;
    client.out += std::exchange(client.kept, {});
  }

  // With the last answer its server goes back.
  void close_lanes() {
    if (sharing_) return;
    for (auto lane = lanes_.begin(); lane != lanes_.end();) {
      Server& server = *lane->second;
      const bool stays = lane->first.second == LaneKind::Hub && shared_.has_listeners(server.state);
      if (link_.owes(server.state) || stays) {
        ++lane;
      } else {
        lane = lanes_.erase(lane);
        release(server);
      }
    }
  }

  void lane_dies(LaneName name, const Error& why) {
    Server& server = *lanes_.at(name);
    server.used = false;
    server.model->closed = true;
    server.coming.clear();
    lanes_.erase(name);
    for (size_t id = 1; id <= clients_.size(); ++id) {
      const Client& each = client(id);
      const bool is_on = each.turns > 0 || each.state.listens();
      if (!is_on || name_of(each) != name || each.over) continue;
      base::Gather nothing;
      shared_.leave(server.state, id, nothing);
      end(id, " lost", why);
    }
  }

  void lose(size_t id) {
    const char* text = client(id).lease->farewell ? "" : "server connection lost";
    end(id, " lost", {base::ErrorKind::Unreachable, text, "08006"});
  }

  std::unique_ptr<protocol::Protocol> protocol_;
  const protocol::Link& link_;
  const protocol::Lanes& shared_;
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
