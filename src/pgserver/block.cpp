#include "block.h"

#include <cassert>

#include "session_statements.h"

namespace weir::pgserver {

void Block::begin(Settings& settings, const TransactionMode& mode, Settings::Mark mark) {
  assert(state_ == State::None);
  state_ = State::Open;
  used_ = false;
  mark_ = std::move(mark);
  change_mode(settings, mode);
}

void Block::change_mode(Settings& settings, const TransactionMode& mode) {
  mode_ = mode;
  (void)settings.set_local("transaction_isolation", isolation_name(mode.isolation));
  (void)settings.set_local("transaction_read_only", mode.read_only ? "on" : "off");
}

void Block::end() {
  state_ = State::None;
  mark_.reset();
  savepoints_.clear();
}

void Block::commit(Settings& settings) {
  settings.end_transaction();
  end();
}

void Block::roll_back(Settings& settings) {
  if (mark_) settings.go_back(mark_);
  settings.end_transaction();
  end();
}

std::optional<size_t> Block::find(std::string_view name) const {
  for (size_t i = savepoints_.size(); i-- > 0;)
    if (savepoints_[i].name == name) return i;
  return std::nullopt;
}

void Block::save(std::string name, const Settings& settings) {
  savepoints_.push_back({std::move(name), settings.mark()});
}

void Block::roll_back_to(size_t depth, Settings& settings) {
  settings.go_back(savepoints_[depth].mark);
  savepoints_.resize(depth + 1);
  state_ = State::Open;
}

}  // namespace weir::pgserver
