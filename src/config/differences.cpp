// What a reload changes. Values are shown as in the table, secrets only as changed.
#include <weir/config/check.h>

#include "options.h"

namespace weir::config {

namespace {

bool needs_restart(std::string_view path) {
  return path == "workers" || path == "http.address" || path == "tcp.backlog" ||
         path.ends_with(".durability");
}

class Comparison {
 public:
  template <class Owner>
  struct Pair {
    const Owner& before;
    const Owner& after;
  };

  template <class Owner>
  void options(const std::string& at, std::span<const Option<Owner>> table, Pair<Owner> values) {
    for (const Option<Owner>& option : table) {
      const Field<Owner>& field = option.field;
      if (!field.same || field.same(values.before, values.after)) continue;
      const std::string old_text = masked(field.show(values.before));
      const std::string new_text = masked(field.show(values.after));
      const std::string path = at + std::string(option.name);
      add(path, old_text == new_text ? "changed" : or_none(old_text) + " -> " + or_none(new_text));
    }
  }

  // What `given` names: the options of a user count only then.
  template <class Owner>
  void given_options(const std::string& at, std::span<const Option<Owner>> table,
                     Pair<Owner> values, Pair<Names> given) {
    for (const Option<Owner>& option : table) {
      const std::string path = at + std::string(option.name);
      const std::string key = path.substr(path.rfind('.', at.size() - 2) + 1);
      const bool was = given.before.contains(key);
      const bool is = given.after.contains(key);
      if (!was && !is) continue;
      if (was && is && option.field.same(values.before, values.after)) continue;
      add(path, (was ? option.field.show(values.before) : "none") + " -> " +
                    (is ? option.field.show(values.after) : "none"));
    }
  }

  // Entries by name: calls `both` for those that stayed.
  template <class Owner, class Both>
  void entries(const std::string& at, Pair<Named<Owner>> maps, Both both) {
    for (const auto& [name, value] : maps.before) {
      const auto other = maps.after.find(name);
      if (other == maps.after.end()) {
        add(join_path(at, name), "removed");
      } else {
        both(join_path(at, name) + '.', Pair<Owner>{value, other->second});
      }
    }
    for (const auto& [name, value] : maps.after) {
      if (!maps.before.contains(name)) add(join_path(at, name), "added");
    }
  }

  void listeners(const std::vector<Listener>& from, const std::vector<Listener>& to,
                 const std::string& sign) {
    for (const Listener& one : from) {
      if (std::find(to.begin(), to.end(), one) != to.end()) continue;
      add("listeners", sign + ' ' + one.protocol + ' ' + one.address.text());
    }
  }

  std::vector<Difference> take() { return std::move(found_); }

 private:
  static std::string or_none(const std::string& text) { return text.empty() ? "none" : text; }
  void add(const std::string& path, std::string text) {
    found_.push_back({path, std::move(text), needs_restart(path)});
  }

  std::vector<Difference> found_;
};

void compare_user(Comparison& to, const std::string& at, Comparison::Pair<User> users) {
  to.options<User>(at, user_options(), users);
  const Comparison::Pair<Names> given{users.before.given, users.after.given};
  to.given_options<PoolOptions>(at + "pool.", pool_options(), {users.before.pool, users.after.pool},
                                given);
  to.given_options<Timeouts>(at + "timeouts.", timeout_options(),
                             {users.before.timeouts, users.after.timeouts}, given);
}

void compare_database(Comparison& to, const std::string& at, Comparison::Pair<Database> databases) {
  to.options<Database>(at, database_options(), databases);
  to.options<PoolOptions>(at + "pool.", pool_options(),
                          {databases.before.pool, databases.after.pool});
  to.options<Timeouts>(at + "timeouts.", timeout_options(),
                       {databases.before.timeouts, databases.after.timeouts});
}

template <class Owner>
void append_values(const std::string& at, std::span<const Option<Owner>> table, const Owner& values,
                   std::vector<OptionValue>& out) {
  for (const Option<Owner>& option : table) {
    if (!option.field.show) continue;
    std::string path = at + std::string(option.name);
    const bool fixed = needs_restart(path);
    out.push_back(
        {std::move(path), masked(option.field.show(values)), std::string(option.fallback), fixed});
  }
}

}  // namespace

std::vector<Difference> differences(const Config& before, const Config& after) {
  Comparison to;
  to.options<Config>("", top_options(), {before, after});
  to.listeners(before.listeners, after.listeners, "-");
  to.listeners(after.listeners, before.listeners, "+");
  to.entries<HostLimit>("hosts", {before.hosts, after.hosts},
                        [&](const std::string& at, Comparison::Pair<HostLimit> hosts) {
                          to.options<HostLimit>(at, host_options(), hosts);
                        });
  to.entries<User>(
      "users", {before.users, after.users},
      [&](const std::string& at, Comparison::Pair<User> users) { compare_user(to, at, users); });
  to.options<PoolOptions>("defaults.pool.", pool_options(),
                          {before.defaults.pool, after.defaults.pool});
  to.options<Timeouts>("defaults.timeouts.", timeout_options(),
                       {before.defaults.timeouts, after.defaults.timeouts});
  to.entries<Database>("databases", {before.databases, after.databases},
                       [&](const std::string& at, Comparison::Pair<Database> databases) {
                         compare_database(to, at, databases);
                       });
  return to.take();
}

std::vector<OptionValue> option_values(const Config& config) {
  std::vector<OptionValue> out;
  append_values("", top_options(), config, out);
  append_values("defaults.pool.", pool_options(), config.defaults.pool, out);
  append_values("defaults.timeouts.", timeout_options(), config.defaults.timeouts, out);
  return out;
}

}  // namespace weir::config
