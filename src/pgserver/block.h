// The transaction block of one session, as its client sees it: what BEGIN, COMMIT, SAVEPOINT and
// errors make of it, and what becomes of settings. The executor does the same to the data.
//
//   None ──BEGIN──▶ Open ──error──▶ Failed
//     ▲   COMMIT, ROLLBACK │  ◀──ROLLBACK TO──┘ │
// └────────────────────┴────────────────────┘
//
// Owned by a connection; its thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/pgserver/executor.h>

namespace weir::pgserver {

class Block {
 public:
  enum class State : uint8_t { None, Open, Failed };
  static constexpr size_t kSavepointsMax = 1000;

  State state() const { return state_; }
  bool is_none() const { return state_ == State::None; }
  bool is_failed() const { return state_ == State::Failed; }
  char letter() const { return state_ == State::None ? 'I' : state_ == State::Open ? 'T' : 'E'; }
  const TransactionMode& mode() const { return mode_; }

  // `mark`: what a rollback goes back to.
  void begin(Settings& settings, const TransactionMode& mode, Settings::Mark mark);
  void change_mode(Settings& settings, const TransactionMode& mode);
  void fail() {
    if (state_ == State::Open) state_ = State::Failed;
  }
  void commit(Settings& settings);
  void roll_back(Settings& settings);

  // SET TRANSACTION is too late once something has run.
  void note_statement() { used_ = true; }
  bool used() const { return used_; }

  size_t depth() const { return savepoints_.size(); }
  std::optional<size_t> find(std::string_view name) const;  // the depth of the latest of that name
  void save(std::string name, const Settings& settings);
  void release(size_t depth) {
    savepoints_.erase(savepoints_.begin() + static_cast<std::ptrdiff_t>(depth), savepoints_.end());
  }
  void roll_back_to(size_t depth, Settings& settings);

 private:
  struct Savepoint {
    std::string name;
    Settings::Mark mark;
  };
  void end();

  State state_ = State::None;
  bool used_ = false;
  TransactionMode mode_;
  Settings::Mark mark_;
  std::vector<Savepoint> savepoints_;
};

}  // namespace weir::pgserver
