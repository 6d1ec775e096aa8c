// The settings of one session (SET, SHOW, RESET, start-up parameters): names, defaults, what a
// value may be, and their life across transactions and savepoints. A state is an immutable value,
// so that a transaction remembers the one it began with. Owned by the session; its worker's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/time.h>

namespace weir::pgserver {

struct SettingError {
  std::string sqlstate;
  std::string message;
};

using SettingMap = std::map<std::string, std::string, std::less<>>;

class Settings {
 public:
  Settings();

  // What RESET goes back to from now on (start-up parameters). Names in any case.
  std::optional<SettingError> set_initial(std::string_view name, std::string_view value);
  void tell(std::string_view name,
            std::string_view value);  // the same for what only the engine knows, unchecked
  std::optional<SettingError> set(std::string_view name,
                                  std::string_view value);  // for the session
  std::optional<SettingError> set_local(std::string_view name,
                                        std::string_view value);  // until the transaction ends
  std::optional<SettingError> reset(std::string_view name);
  void reset_all();

  // Nothing: there is no such setting.
  std::optional<std::string> show(std::string_view name) const;
  // All that have a value, by name, for SHOW ALL.
  SettingMap all() const;
  // Those that ParameterStatus reports, in PostgreSQL's spelling.
  SettingMap reported() const;

  base::Duration duration(
      std::string_view name) const;  // of statement_timeout and its like; 0: off
  bool is_on(std::string_view name) const;

  // A point to come back to.
  struct State;
  using Mark = std::shared_ptr<const State>;
  Mark mark() const { return state_; }
  void go_back(const Mark& mark) { state_ = mark; }
  void end_transaction();  // a commit: what was set locally is gone

 private:
  std::optional<SettingError> change(std::string_view name, std::optional<std::string_view> value,
                                     bool local);
  std::string effective(std::string_view lower_name) const;
  Mark state_;
  SettingMap initial_;
};

}  // namespace weir::pgserver
