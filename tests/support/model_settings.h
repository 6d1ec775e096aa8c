// The settings of a model PostgreSQL session: defaults, what SET and SET LOCAL did, what a rollback
// takes back, and which changes have to be reported. Names in lower case.
#pragma once

#include <map>
#include <string>

#include <weir/protocol/postgres.h>

namespace weir::model {

using Settings = std::map<std::string, std::string>;

class ModelSettings {
 public:
  explicit ModelSettings(Settings defaults)
      : defaults_(std::move(defaults)),
        now_(defaults_),
        lasting_(defaults_),
        saved_(defaults_),
        told_(defaults_) {}

  static Settings usual() {
    return {
        {"application_name", ""}, {"timezone", "UTC"}, {"note", ""}, {"server_version", "15.0"}};
  }
  // As the server spells the names of those that it reports; empty: not reported.
  static std::string reported_name(const std::string& name) {
    if (name == "timezone") return "TimeZone";
    return name == "application_name" || name == "server_version" ? name : "";
  }

  void begin() { saved_ = now_; }  // a transaction
  void commit() { now_ = lasting_; }
  void abort() { now_ = lasting_ = saved_; }
  bool known(const std::string& name) const { return now_.contains(name); }
  const std::string& show(const std::string& name) const { return now_.at(name); }
  void set(const std::string& name, const std::string& value, bool local) {
    now_[name] = value;
    if (!local) lasting_[name] = value;
  }
  void reset(const std::string& name) { now_[name] = lasting_[name] = defaults_.at(name); }
  void reset_all() { now_ = lasting_ = defaults_; }

  // ParameterStatus of what changed since the last report.
  void report(std::string& out) {
    for (const auto& [name, value] : now_) {
      const std::string shown = reported_name(name);
      if (!shown.empty() && told_[name] != value)
        postgres::append_parameter_status(out, shown, value);
    }
    told_ = now_;
  }
  void report_all(std::string& out) {
    for (const auto& [name, value] : now_)
      if (const std::string shown = reported_name(name); !shown.empty())
        postgres::append_parameter_status(out, shown, value);
    told_ = now_;
  }
  bool is_default() const { return now_ == defaults_; }

 private:
  Settings defaults_;
  Settings now_;
  Settings lasting_;  // without SET LOCAL
  Settings saved_;    // when the transaction began
  Settings told_;
};

}  // namespace weir::model
