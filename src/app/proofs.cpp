#include "proofs.h"

#include <weir/base/crypto.h>

#include <algorithm>

namespace weir::app {

namespace {

std::pair<std::string, std::string> user_of(const session::Backend& backend) {
  return {backend.database(), backend.user()};
}

// A server closes the connections of a user who is deleted: without one nothing is believed.
bool has_server(const session::Backend& backend) {
  const pool::Snapshot now = backend.pool().snapshot();
  return now.idle + now.busy > 0;
}

}  // namespace

Proofs::Proofs() : key_(base::random_bytes(32)) {}

void Proofs::set_life(base::Duration life) {
  const std::lock_guard lock(mutex_);
  if (life < life_)
    for (auto& [user, all] : users_)
      for (Known& each : all) each.until = 0;
  life_ = life;
}

void Proofs::forget(const session::Backend& backend) {
  const std::lock_guard lock(mutex_);
  ++round_;
  const auto found = users_.find(user_of(backend));
  if (found == users_.end()) return;
  for (Known& each : found->second) each.until = 0;
}

// Passwords come from anybody: those that nobody waits for make room.
void Proofs::make_room(base::Time now) {
  for (const base::Time limit : {now, base::kNever}) {
    if (count_ < kRememberedMax) return;
    for (auto& [user, all] : users_)
      count_ -= std::erase_if(
          all, [limit](const Known& each) { return each.waiting.empty() && each.until <= limit; });
    std::erase_if(users_, [](const auto& each) { return each.second.empty(); });
  }
}

Proofs::Known& Proofs::known(const User& user, const std::string& hash) {
  std::vector<Known>& all = users_[user];
  for (Known& each : all)
    if (base::equal_constant_time(each.hash, hash)) return each;
  ++count_;
  return all.emplace_back(Known{.hash = hash});
}

void Proofs::find(const Login& login, session::Worker& worker, Done done) {
  Check check{login.backend.shared_from_this(), login.secret, base::hmac_sha256(key_, login.secret),
              &worker};
  {
    std::unique_lock lock(mutex_);
    make_room(worker.now());
    Known& found = known(user_of(login.backend), check.hash);
    if (found.until > worker.now() && has_server(login.backend)) {
      lock.unlock();
      login.backend.learn_older(login.secret);
      return done({});
    }
    if (found.waiting.empty() && line_.size() >= kLineMax) {
      lock.unlock();
      return done({base::ErrorKind::Unreachable, "too many logins are being checked", "53300"});
    }
    found.waiting.push_back({&worker, std::move(done)});
    if (found.waiting.size() > 1) return;
    check.round = round_;
    if (under_way_ == kUnderWayMax) return line_.push_back(std::move(check));
    ++under_way_;
  }
  begin(check);
}

// On its worker's thread.
void Proofs::begin(const Check& check) {
  check.worker->try_login(*check.backend, check.secret,
                          [this, check](const base::Error& refusal) { checked(check, refusal); });
}

void Proofs::checked(const Check& check, const base::Error& refusal) {
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    const User user = user_of(*check.backend);
    std::vector<Known>& all = users_[user];
    const auto found = std::find_if(all.begin(), all.end(), [&](const Known& each) {
      return base::equal_constant_time(each.hash, check.hash);
    });
    waiting.swap(found->waiting);
    found->until = base::steady_now() + life_;
    if (!refusal.text.empty() || check.round != round_ || life_ == 0) {
      all.erase(found);
      --count_;
      if (all.empty()) users_.erase(user);
    }
    if (line_.empty()) {
      --under_way_;
    } else {
      session::Worker& next = *line_.front().worker;
      next.loop().mailbox().post_call(
          [this, at_last = std::move(line_.front())] { begin(at_last); });
      line_.pop_front();
    }
  }
  for (Waiting& each : waiting)
    each.worker->loop().mailbox().post_call(
        [done = std::move(each.done), refusal] { done(refusal); });
}

}  // namespace weir::app
