#include "hub.h"

#include <algorithm>
#include <utility>

#include "audience.h"
#include "glob.h"
#include "own_answers.h"

namespace weir::redis {

namespace {

constexpr std::string_view word_of(Hub::Kind kind, bool begins) {
  switch (kind) {
    case Hub::Kind::Channel: return begins ? "subscribe" : "unsubscribe";
    case Hub::Kind::Pattern: return begins ? "psubscribe" : "punsubscribe";
    default: return begins ? "ssubscribe" : "sunsubscribe";
  }
}

int32_t& count_of(HubCounts& counts, Hub::Kind kind) {
  switch (kind) {
    case Hub::Kind::Channel: return counts.channels;
    case Hub::Kind::Pattern: return counts.patterns;
    default: return counts.shards;
  }
}

// Of so many listeners the server sees one.
constexpr int64_t unseen(size_t listeners) {
  return listeners > 1 ? static_cast<int64_t>(listeners) - 1 : 0;
}

// As addReplyPubsubSubscribed() and its neighbours in Redis' pubsub.c say it.
struct Confirmation {
  Hub::Kind kind = Hub::Kind::Channel;
  bool begins = true;
  const Bytes* name = nullptr;  // null: there was nothing to end
};
void append_confirmation(std::string& out, const ClientState& client, const Confirmation& what) {
  const HubCounts& has = client.hub;
  const int32_t count = what.kind == Hub::Kind::Shard ? has.shards : has.channels + has.patterns;
  out += client.resp == 3 ? ">3\r\n" : "*3\r\n";
  append_bulk(out, word_of(what.kind, what.begins));
  if (what.name)
    append_bulk(out, *what.name);
  else
    out += client.resp == 3 ? "_\r\n" : "$-1\r\n";
  out.append(":").append(std::to_string(count)).append("\r\n");
}

}  // namespace

Subscription read_subscription(Bytes word) {
  Subscription out;
  const auto lower = [&](size_t i) { return i < word.size() ? word[i] | 0x20 : 0; };
  // subscribe, ssubscribe, sunsubscribe: the second letter tells the shards apart.
  if (lower(0) == 'p') out.kind = Hub::Kind::Pattern;
  if (lower(0) == 's' && (lower(1) == 's' || (lower(1) == 'u' && lower(2) == 'n')))
    out.kind = Hub::Kind::Shard;
  out.begins = word.size() <= std::string_view("psubscribe").size();
  return out;
}

// What nobody wants any more, as commands for the server.
struct Hub::Gone {
  std::array<std::vector<Bytes>, 3> names;

  uint32_t write(std::string& to_server) const {
    uint32_t count = 0;
    for (size_t kind = 0; kind < names.size(); ++kind) {
      if (names[kind].empty()) continue;
      to_server.append("*").append(std::to_string(names[kind].size() + 1)).append("\r\n");
      append_bulk(to_server, word_of(static_cast<Kind>(kind), false));
      for (const Bytes name : names[kind]) append_bulk(to_server, name);
      count += static_cast<uint32_t>(names[kind].size());
    }
    return count;
  }
};

Hub::Hub(std::shared_ptr<Audience> audience) : audience_(std::move(audience)) {}

Hub::~Hub() {
  for (const Topics& topics : topics_)
    for (const auto& [name, topic] : topics) count(topic, -unseen(topic.told.size()));
}

void Hub::count(const Topic& topic, int64_t by) {
  if (audience_) audience_->change(topic.kind, topic.name, by);
}

Hub::Listener* Hub::find(uint64_t owner) {
  const auto found = listeners_.find(owner);
  return found == listeners_.end() ? nullptr : &found->second;
}
const Hub::Listener* Hub::listener(uint64_t owner) const {
  const auto found = listeners_.find(owner);
  return found == listeners_.end() ? nullptr : &found->second;
}

const std::vector<Hub::Listener*>& Hub::told(Kind kind, Bytes name) const {
  static const std::vector<Listener*> kNobody;
  const Topics& topics = topics_[static_cast<size_t>(kind)];
  const auto found = topics.find(name);
  return found == topics.end() ? kNobody : found->second.told;
}

int64_t Hub::coming(Kind kind, Bytes name) const {
  if (unanswered_ == 0) return 0;
  const Topics& topics = topics_[static_cast<size_t>(kind)];
  const auto found = topics.find(name);
  if (found == topics.end()) return 0;
  return unseen(found->second.wanted) - unseen(found->second.told.size());
}

int64_t Hub::coming_receivers(Bytes channel) const {
  if (unanswered_ == 0) return 0;
  int64_t count = coming(Kind::Channel, channel);
  size_t steps = kPatternStepsMax;
  for (const auto& [name, topic] : topics_[static_cast<size_t>(Kind::Pattern)]) {
    if (steps == 0) break;
    const int64_t more = unseen(topic.wanted) - unseen(topic.told.size());
    if (more != 0 && fits_pattern(channel, name, steps)) count += more;
  }
  return count;
}

// ---------------------------------------------------------------- sent

uint32_t Hub::sent(uint64_t owner, ClientState& client, Change change, std::string& to_server) {
  Listener& listener = listeners_[owner];
  listener.owner = owner;
  listener.client = &client;
  Gone gone;
  if (change.what == Change::What::Begins) {
    for (const std::string& name : change.names) want(listener, change.kind, name);
  } else if (change.what == Change::What::Reset) {
    unwant_all(listener, gone);
  } else if (change.names.empty()) {
    for (auto& [topic, stake] : listener.stakes)
      if (topic->kind == change.kind) unwant(listener, *topic, gone);
  } else {
    for (const std::string& name : change.names) {
      const auto found = topics(change.kind).find(name);
      if (found != topics(change.kind).end() && listener.stakes.contains(&found->second))
        unwant(listener, found->second, gone);
    }
  }
  listener.changes.push_back(std::move(change));
  ++unanswered_;
  return gone.write(to_server);
}

void Hub::want(Listener& listener, Kind kind, Bytes name) {
  auto found = topics(kind).find(name);
  if (found == topics(kind).end()) {
    found = topics(kind).try_emplace(std::string(name)).first;
    found->second.kind = kind;
    found->second.name = found->first;
  }
  Topic& topic = found->second;
  const auto [stake, is_new] = listener.stakes.try_emplace(&topic);
  if (is_new) {
    ++topic.stakes;
    listener.bytes += name.size();
  }
  if (!std::exchange(stake->second.wanted, true)) ++topic.wanted;
  topic.shared = topic.shared || topic.wanted > 1;
}

void Hub::unwant(Listener& listener, Topic& topic, Gone& gone) {
  if (!std::exchange(listener.stakes.at(&topic).wanted, false)) return;
  if (--topic.wanted > 0) return;
  topic.shared = false;
  gone.names[static_cast<size_t>(topic.kind)].push_back(topic.name);
}

void Hub::unwant_all(Listener& listener, Gone& gone) {
  for (auto& [topic, stake] : listener.stakes) unwant(listener, *topic, gone);
}

// ---------------------------------------------------------------- answered

std::string Hub::confirmed(uint64_t owner, Bytes name) {
  std::string out;
  Listener* listener = find(owner);
  if (!listener || listener->changes.empty()) return out;
  const Kind kind = listener->changes.front().kind;
  const auto found = topics(kind).find(name);
  const bool has = found != topics(kind).end() && listener->stakes.contains(&found->second);
  if (!has) want(*listener, kind, name);  // it was refused once before
  tell(*listener, topics(kind).find(name)->second);
  append_confirmation(out, *listener->client, {kind, true, &name});
  return out;
}

void Hub::end_change(uint64_t owner) {
  Listener* listener = find(owner);
  if (!listener || listener->changes.empty()) return;
  listener->changes.pop_front();
  --unanswered_;
  forget_idle(*listener);
}

// What it has asked for in vain it wants no more, unless it has asked for it once more since. The
// server has not begun with it, but may have done so for others who have left that to this one.
uint32_t Hub::refused(uint64_t owner, std::string& to_server) {
  Listener* listener = find(owner);
  if (!listener || listener->changes.empty()) return 0;
  const Change change = std::move(listener->changes.front());
  const Names again = asked_again(*listener);
  Gone gone, nothing;
  std::vector<Topic*> refused;
  for (const std::string& name : change.names) {
    const auto found = topics(change.kind).find(name);
    if (found == topics(change.kind).end() || again.contains(name)) continue;
    Topic& topic = found->second;
    const auto stake = listener->stakes.find(&topic);
    const bool is_refused =
        stake != listener->stakes.end() && stake->second.wanted && !stake->second.told;
    if (!is_refused) continue;  // or named twice
    unwant(*listener, topic, topic.shared ? gone : nothing);
    refused.push_back(&topic);
  }
  const uint32_t confirmations = gone.write(to_server);
  for (Topic* topic : refused) drop_unused(*listener, *topic);
  end_change(owner);
  return confirmations;
}

// What the changes behind the oldest one begin, of its kind.
Hub::Names Hub::asked_again(const Listener& listener) {
  Names names;
  const Kind kind = listener.changes.front().kind;
  for (size_t i = 1; i < listener.changes.size(); ++i) {
    const Change& change = listener.changes[i];
    if (change.what == Change::What::Begins && change.kind == kind)
      names.insert(change.names.begin(), change.names.end());
  }
  return names;
}

std::string Hub::ended(uint64_t owner) {
  Listener* listener = find(owner);
  if (!listener || listener->changes.empty()) return {};
  const Change change = std::move(listener->changes.front());
  std::string out;
  if (change.what == Change::What::Reset) {
    ClientState& client = *listener->client;
    std::string nothing;
    leave(owner, nothing);
    reset(client);
    return "+RESET\r\n";
  }
  if (change.names.empty()) out = end_all(*listener, change.kind);
  for (const std::string& each : change.names) {
    const auto found = topics(change.kind).find(each);
    const bool has =
        found != topics(change.kind).end() && listener->stakes.contains(&found->second);
    if (has) untell(*listener, found->second);
    const Bytes name = each;
    append_confirmation(out, *listener->client, {change.kind, false, &name});
    if (has) drop_unused(*listener, found->second);
  }
  end_change(owner);
  return out;
}

std::string Hub::end_all(Listener& listener, Kind kind) {
  std::vector<Topic*> all;
  for (const auto& [topic, stake] : listener.stakes)
    if (topic->kind == kind) all.push_back(topic);
  std::sort(all.begin(), all.end(),
            [](const Topic* a, const Topic* b) { return a->name < b->name; });
  std::string out;
  for (Topic* topic : all) {
    if (listener.stakes.at(topic).told) {
      untell(listener, *topic);
      append_confirmation(out, *listener.client, {kind, false, &topic->name});
    }
    drop_unused(listener, *topic);
  }
  if (out.empty()) append_confirmation(out, *listener.client, {kind, false, nullptr});
  return out;
}

void Hub::tell(Listener& listener, Topic& topic) {
  Listener::Stake& stake = listener.stakes.at(&topic);
  if (std::exchange(stake.told, true)) return;
  stake.place = topic.told.size();
  topic.told.push_back(&listener);
  if (topic.told.size() > 1) count(topic, 1);
  ++count_of(listener.client->hub, topic.kind);
}

void Hub::untell(Listener& listener, Topic& topic) {
  Listener::Stake& stake = listener.stakes.at(&topic);
  if (!std::exchange(stake.told, false)) return;
  if (topic.told.size() > 1) count(topic, -1);
  Listener* last = topic.told.back();
  topic.told[stake.place] = last;
  last->stakes.at(&topic).place = stake.place;
  topic.told.pop_back();
  --count_of(listener.client->hub, topic.kind);
}

// ---------------------------------------------------------------- gone

uint32_t Hub::leave(uint64_t owner, std::string& to_server) {
  Listener* listener = find(owner);
  if (!listener) return 0;
  Gone gone;
  unwant_all(*listener, gone);
  const uint32_t confirmations = gone.write(to_server);
  while (!listener->stakes.empty()) {
    Topic& topic = *listener->stakes.begin()->first;
    untell(*listener, topic);
    drop(*listener, topic);
  }
  unanswered_ -= listener->changes.size();
  listeners_.erase(owner);
  return confirmations;
}

// Not while something is under way that may be about it.
void Hub::drop_unused(Listener& listener, Topic& topic) {
  const Listener::Stake& stake = listener.stakes.at(&topic);
  if (stake.wanted || stake.told) return;
  if (listener.changes.size() > 1) listener.has_unused = true;
  if (listener.changes.size() <= 1) drop(listener, topic);
}

void Hub::drop(Listener& listener, Topic& topic) {
  listener.stakes.erase(&topic);
  listener.bytes -= topic.name.size();
  if (--topic.stakes > 0) return;
  Topics& all = topics(topic.kind);
  all.erase(all.find(topic.name));
}

void Hub::forget_idle(Listener& listener) {
  if (!listener.changes.empty()) return;
  if (std::exchange(listener.has_unused, false)) {
    std::vector<Topic*> all;
    for (const auto& [topic, stake] : listener.stakes) all.push_back(topic);
    for (Topic* topic : all) drop_unused(listener, *topic);
  }
  if (listener.stakes.empty()) listeners_.erase(listener.owner);
}

}  // namespace weir::redis
