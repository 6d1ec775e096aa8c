#include "lookups.h"

#include <chrono>
#include <ctime>

namespace weir::app {

namespace {

// A timestamp in ISO style and UTC, as the questions' connections are set to, is over. What cannot
// be read is taken for over.
bool is_over(const std::string& text, int64_t now) {
  if (text == "infinity") return false;
  std::tm parts{};
  const char* const rest = strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &parts);
  if (!rest) return true;
  return timegm(&parts) <= now;
}

}  // namespace

int64_t seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

Looked read_login(const std::string& user, const Rows& rows, int64_t now) {
  if (rows.empty()) return {};
  const protocol::Row& row = rows[0];
  if (rows.size() > 1) return {{}, "the query gave more than one row"};
  if (row.size() < 2) return {{}, "the query gave fewer than two columns"};
  if (row[0] != user) return {{}, "the query gave a row of another user"};
  if (row.size() > 3 && row[3] != "t" && row[3] != "true" && row[3] != "1")
    return {{}, "can_login is not true"};
  if (row.size() > 2 && row[2] && is_over(*row[2], now)) return {{}, "valid_until is over"};
  if (!row[1] || row[1]->empty()) return {{}, "it has no password"};
  return {*row[1], {}};
}

void Lookups::set_rules(Rules rules) {
  const std::lock_guard lock(mutex_);
  if (rules == rules_) return;
  rules_ = std::move(rules);
  forget_all();
}

void Lookups::forget() {
  const std::lock_guard lock(mutex_);
  forget_all();
}

void Lookups::forget_all() {
  ++round_;
  for (auto& [user, known] : users_) known.until = 0;
}

void Lookups::forget(const std::string& user) {
  const std::lock_guard lock(mutex_);
  const auto known = users_.find(user);
  if (known != users_.end()) known->second.until = 0;
}

// Names come from anybody: those that nobody waits for make room.
void Lookups::make_room(base::Time now) {
  if (users_.size() < kUsersMax) return;
  std::erase_if(users_, [now](const auto& each) {
    return !each.second.is_asked && each.second.until <= now;
  });
  if (users_.size() < kUsersMax) return;
  std::erase_if(users_, [](const auto& each) { return !each.second.is_asked; });
}

void Lookups::find(const std::string& user, session::Backend& backend, session::Worker& worker,
                   Done done) {
  session::Question question;
  uint64_t round = 0;
  {
    std::unique_lock lock(mutex_);
    make_room(worker.now());
    Known& known = users_[user];
    if (known.until > worker.now()) {
      const session::Answer answer(known.rows);
      lock.unlock();
      return done(answer);
    }
    known.waiting.push_back({&worker, std::move(done)});
    if (std::exchange(known.is_asked, true)) return;
    question = {rules_.sql, user, nullptr};
    round = round_;
  }
  question.answered = [this, user, round](session::Answer answer) {
    answered(user, round, std::move(answer));
  };
  worker.ask(backend, std::move(question));
}

void Lookups::answered(const std::string& user, uint64_t round, session::Answer answer) {
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    Known& known = users_[user];
    waiting.swap(known.waiting);
    known.is_asked = false;
    known.rows = answer ? *answer : Rows{};
    const bool is_negative = is_negative_(user, known.rows);
    const base::Duration life = is_negative ? rules_.negative_ttl : rules_.ttl;
    known.until = answer && round == round_ ? base::steady_now() + life : 0;
  }
  for (Waiting& each : waiting)
    each.worker->loop().mailbox().post_call(
        [done = std::move(each.done), answer] { done(answer); });
}

}  // namespace weir::app
