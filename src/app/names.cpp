#include "names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <weir/base/log.h>

#include <algorithm>
#include <functional>

namespace weir::app {

using base::log;
using base::LogLevel;

namespace {

// Servers that are in use need their name again soon, also when failures are not believed.
constexpr base::Duration kRetry = base::kSecond;

bool same_set(Names::Addresses a, Names::Addresses b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

void log_answer(const std::string& host, const Names::Addresses& before,
                const Names::Addresses& after) {
  if (before.empty() || same_set(before, after)) return;
  log(LogLevel::Info, "host {}: now {}, before {}; servers at addresses that are gone are retired",
      host, fmt::join(after, ", "), fmt::join(before, ", "));
}

void log_failure(const std::string& why, const Names::Addresses& kept) {
  if (kept.empty()) return log(LogLevel::Warn, "{}", why);
  log(LogLevel::Warn, "{}; its addresses stay {}", why, fmt::join(kept, ", "));
}

}  // namespace

void Names::set_rules(Rules rules) {
  const std::lock_guard lock(mutex_);
  rules_ = rules;
}

bool Names::is_believed(const Name& name) const {
  return !name.error.text.empty() && !name.asked &&
         outside_.now() < name.heard_at + rules_.negative_ttl;
}

base::Time Names::due(const Name& name) const {
  return name.heard_at +
         (name.error.text.empty() ? rules_.ttl : std::max(rules_.negative_ttl, kRetry));
}

void Names::find(const std::string& host, base::Mailbox& mailbox, Done done) {
  std::unique_lock lock(mutex_);
  Name& name = names_[host];
  name.wanted = true;
  if (!name.addresses.empty()) {
    const Found found = name.addresses;
    lock.unlock();
    return done(found);
  }
  if (is_believed(name)) {
    const Found failed = name.error;
    lock.unlock();
    return done(failed);
  }
  name.waiting.push_back({&mailbox, std::move(done)});
  ask_awaited();
}

// ---------------------------------------------------------------- asking

void Names::ask(const std::string& host, Name& name) {
  if (name.asked || under_way_ >= kAtOnceMax) return;
  ++under_way_;
  name.asked =
      outside_.resolve(host, [this, host](const net::Resolved& answer) { answered(host, answer); });
}

void Names::ask_awaited() {
  for (auto& [host, name] : names_)
    if (!name.waiting.empty()) ask(host, name);
}

std::vector<std::string> Names::due_names() const {
  const std::lock_guard lock(mutex_);
  const base::Time now = outside_.now();
  std::vector<std::string> out;
  for (const auto& [host, name] : names_)
    if (!name.asked && name.waiting.empty() && due(name) <= now) out.push_back(host);
  return out;
}

void Names::tick() {
  for (const std::string& host : due_names()) {
    const bool in_use = outside_.in_use(host);  // may look at what others hold a lock for
    const std::lock_guard lock(mutex_);
    Name& name = names_[host];
    if (in_use || name.wanted)
      ask(host, name);
    else
      names_.erase(host);
  }
}

// ---------------------------------------------------------------- answers

// Those that have to know first: a server at an address that nobody has heard of would be closed.
void Names::answered(const std::string& host, const net::Resolved& answer) {
  bool mended;
  {
    const std::lock_guard lock(mutex_);
    mended = !names_[host].error.text.empty();
  }
  if (answer) outside_.heard(host, answer.value(), mended);
  for (Waiting& each : note(host, answer))
    each.mailbox->post_call([done = std::move(each.done), answer] { done(answer); });
  const std::lock_guard lock(mutex_);
  ask_awaited();
}

std::vector<Names::Waiting> Names::note(const std::string& host, const net::Resolved& answer) {
  const std::lock_guard lock(mutex_);
  Name& name = names_[host];
  const bool was_good = name.error.text.empty();
  name.heard_at = outside_.now();
  name.wanted = false;
  name.asked.reset();
  --under_way_;
  if (answer) {
    log_answer(host, name.addresses, answer.value());
    if (!was_good)
      log(LogLevel::Info, "host {} can be looked up again: {}", host,
          fmt::join(answer.value(), ", "));
    name.error = {};
    name.addresses = answer.value();
  } else {
    if (was_good) log_failure(answer.error().text, name.addresses);
    name.error = answer.error();
  }
  return std::exchange(name.waiting, {});
}

// ---------------------------------------------------------------- for others

Names::Addresses Names::addresses(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(host);
  return found == names_.end() ? Addresses{} : found->second.addresses;
}

std::vector<Names::View> Names::views() const {
  const std::lock_guard lock(mutex_);
  const base::Time now = outside_.now();
  std::vector<View> out;
  for (const auto& [host, name] : names_)
    out.push_back({.host = host,
                   .left = name.heard_at == 0 ? 0 : std::max<base::Duration>(0, due(name) - now),
                   .addresses = name.addresses,
                   .is_asked = name.asked != nullptr});
  return out;
}

std::string address_of(const std::string& peer) {
  const std::string address = peer.substr(0, peer.rfind(':'));
  return address.starts_with('[') ? address.substr(1, address.size() - 2) : address;
}

// A peer does not tell the interface of a link-local address: "fe80::1" of "fe80::1%eth0".
uint64_t origin_of(const std::string& address) {
  return std::hash<std::string_view>()(std::string_view(address).substr(0, address.find('%'))) | 1;
}

}  // namespace weir::app
