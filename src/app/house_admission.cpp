// Who gets in, and how it has to prove who it is.
#include <weir/base/log.h>
#include <weir/config/check.h>

#include <algorithm>

#include "house_entry.h"

namespace weir::app {

using base::Error;
using base::ErrorKind;
using protocol::AuthMethod;
using session::Answer;

namespace {

// What went wrong is not for those who have not proved who they are.
Error nobody_can_tell(const Error& why) {
  base::log(base::LogLevel::Warn, "auth.query cannot be asked: {}", why.text);
  return {ErrorKind::Unreachable, "nobody can tell just now who may log in", "08006"};
}

// Of a client that has its server to itself nothing needs to be carried.
void keep_nothing(protocol::Admission::ClientOptions& options) {
  options.statement_mode = options.transaction_mode = options.separate_readers = false;
  options.prepared_statements = 0;
}

}  // namespace

void House::admit(const session::Visitor& visitor, session::Worker& worker,
                  std::function<void(session::Admitted)> done) {
  session::Admitted refused;
  if (visitor.request.proves)
    refused.refusal = brake_.refusal(visitor.peer, visitor.request.user, worker.now());
  if (!refused.refusal.text.empty()) return done(std::move(refused));
  session::Visitor named = visitor;
  named.request.database = database_name(*visitor.door, visitor.request);
  const Demand demand = demand_of(*config(), named, nullptr);
  if (demand.needs_groups) return ask_groups(named, worker, std::move(done));
  admit_by(demand, named, worker, std::move(done));
}

// What the database is called that a client means; from here on it is what it has asked for. Only
// those are meant whose clients speak what it does. Empty: it names none, and could mean several.
std::string House::database_name(const session::Door& door,
                                 const protocol::LoginRequest& request) const {
  if (!door.database.empty()) return door.database;
  const auto now = config();
  const auto& all = now->databases;
  const auto is_for_it = [&](const auto& each) {
    return each.second.clients == door.protocol->name();
  };
  const auto is_meant = [&](const std::string& name) {
    const auto found = all.find(name);
    return found != all.end() && is_for_it(*found);
  };
  if (is_meant(request.database)) return request.database;
  if (is_meant(request.server_name)) return request.server_name;
  if (!request.database.empty()) return request.database;  // "*" has it, or nobody
  if (is_meant("*")) return "*";
  const auto first = std::find_if(all.begin(), all.end(), is_for_it);
  const bool is_only = first != all.end() && std::none_of(std::next(first), all.end(), is_for_it);
  return is_only ? first->first : std::string();
}

// Lines with +role: whose member is this user? Without group_sql: nobody's.
void House::ask_groups(const session::Visitor& visitor, session::Worker& worker,
                       std::function<void(session::Admitted)> done) {
  const auto go_on = [this, visitor, &worker, answer = std::move(done)](const Answer& rows) {
    config::Groups groups;
    if (rows)
      for (const protocol::Row& row : rows.value())
        if (!row.empty() && row[0]) groups.insert(*row[0]);
    Demand demand = demand_of(*config(), visitor, &groups);
    if (!rows) demand.refusal = nobody_can_tell(rows.error());
    admit_by(demand, visitor, worker, answer);
  };
  if (config()->auth.query.group_sql.empty()) return go_on(Rows{});
  auto backend = lookup_backend();
  if (!backend) return go_on(backend.error());
  groups_.find(visitor.request.user, **backend, worker, go_on);
}

void House::admit_by(const Demand& demand, const session::Visitor& visitor, session::Worker& worker,
                     std::function<void(session::Admitted)> done) {
  session::Admitted refused;
  refused.refusal = demand.refusal;
  if (!refused.refusal.text.empty()) return done(std::move(refused));
  const std::string& name = visitor.request.user;
  const auto now = config();
  const config::User* user = now->user(name);
  const bool looks_up = protocol::asks_for_secret(demand.method) && !demand.check &&
                        (!user || user->password.empty()) && !now->auth.query.database.empty() &&
                        visitor.door->protocol->name() == "postgres";
  if (!looks_up) return done(decide(demand, visitor, {}));
  auto backend = lookup_backend();
  if (!backend) {
    refused.refusal = backend.error();
    return done(std::move(refused));
  }
  logins_.find(name, **backend, worker,
               [this, demand, visitor, answer = std::move(done)](const Answer& rows) {
                 answer(decide_by(demand, visitor, rows));
               });
}

session::Admitted House::decide_by(const Demand& demand, const session::Visitor& visitor,
                                   const Answer& rows) {
  if (!rows) {
    session::Admitted out;
    out.refusal = nobody_can_tell(rows.error());
    return out;
  }
  const std::string& user = visitor.request.user;
  const Looked looked = read_login(user, rows.value(), seconds_since_1970());
  if (!looked.why.empty())
    base::log(base::LogLevel::Info, "auth.query: user \"{}\" may not log in: {}", user, looked.why);
  return decide(demand, visitor, looked.secret);
}

session::Admitted House::decide(const Demand& demand, const session::Visitor& visitor,
                                const std::string& looked_up) {
  const std::lock_guard lock(mutex_);
  session::Admitted out;
  out.admission = admission(demand, visitor, looked_up);
  const protocol::LoginRequest& request = visitor.request;
  const std::string& name = request.database;
  if (is_console(*visitor.door, request)) {
    admit_to_console(request, out);
    return out;
  }
  std::vector<pool::Budget*> taken;
  const config::Database* database = config_->database(name);
  if (database && database->clients != visitor.door->protocol->name()) database = nullptr;
  out.refusal = count_client(database, visitor, taken);
  out.on_leave = [taken] {
    for (pool::Budget* budget : taken) budget->give();
  };
  if (!database || !out.refusal.text.empty() || out.admission.mock) return out;
  const bool replicates = request.replication != protocol::Replication::None;
  if (replicates && database->protocol != "postgres") {
    out.refusal = {ErrorKind::Refused, "replication needs a PostgreSQL server", "0A000"};
    return out;
  }
  auto entry = entry_for(*database, name, request.user);
  if (!entry) {
    out.refusal = entry.error();
    return out;
  }
  out.backend = (*entry)->backend;
  out.admission.options = plan_for(**entry, request.user)->client;
  if (replicates) keep_nothing(out.admission.options);
  return out;
}

// A replication client gets a pool of one for itself: outside the size of the database's pool,
// inside the caps. When it has left and its server is closed, the next one gets it.
base::Result<std::shared_ptr<session::Backend>> House::own_backend(
    const session::Backend& shared, const protocol::LoginRequest& request,
    std::function<void()>& on_leave) {
  const std::lock_guard lock(mutex_);
  const config::Database* database = config_->database(shared.database());
  if (!database) return Error{ErrorKind::Refused, "the database is not there any more", "3D000"};
  const auto is_free = [&](const auto& own) {
    const session::Backend& backend = *own->backend;
    return !own->is_taken && own->name == shared.database() && backend.user() == shared.user() &&
           backend.pool().is_empty();
  };
  auto found = std::find_if(own_entries_.begin(), own_entries_.end(), is_free);
  if (found == own_entries_.end()) {
    auto made = make_entry(*database, shared.database(), request.user);
    if (!made) return made.error();
    found = own_entries_.insert(found, std::move(*made));
  }
  Entry& entry = **found;
  if (const auto prepared = prepare_own(entry, *database, request); !prepared)
    return prepared.error();
  entry.is_taken = true;
  on_leave = [this, &entry, leave = std::move(on_leave)] {
    leave();
    const std::lock_guard relock(mutex_);
    entry.is_taken = false;
  };
  return entry.backend;
}

// Its stream runs for days: no time of a query or transaction counts.
base::Status House::prepare_own(Entry& entry, const config::Database& database,
                                const protocol::LoginRequest& request) {
  bool movable = true;
  if (auto found = find_diallers(entry, database, movable); !found) return found.error();
  auto plan = std::make_shared<session::Plan>(*make_plan(database, entry, request.user));
  plan->mode = session::Mode::Session;
  plan->connect_query.clear();
  session::Timeouts& timeouts = plan->timeouts;
  timeouts.query = timeouts.transaction = timeouts.idle_in_transaction = timeouts.client_idle = 0;
  keep_nothing(plan->client);
  plan->replication = request.replication;
  for (const auto& own : request.own_settings) {
    std::erase_if(plan->target.settings, [&](const auto& one) { return one.first == own.first; });
    plan->target.settings.push_back(own);
  }
  entry.backend->set_plan(std::move(plan));
  pool::Options options = options_of(entry, database, true);
  options.size = 1;
  options.min = options.overflow = 0;
  options.idle_timeout = base::kSecond;  // a login that came too late for its client
  pool::Orders none;
  entry.backend->pool().configure(options, true, base::steady_now(), none);
  return base::ok();
}

protocol::Admission House::admission(const Demand& demand, const session::Visitor& visitor,
                                     const std::string& looked_up) const {
  protocol::Admission out;
  out.method = demand.method;
  out.scram_iterations = config_->auth.scram_iterations;
  const std::string& login = visitor.request.user;
  const std::string shown = visitor.certificate_name.value_or("");
  const bool is_named = may_be(*config_, demand, shown, login);
  if (demand.certificate_names_user && !is_named) out.method = AuthMethod::Cert;
  if (out.method == AuthMethod::Cert || out.method == AuthMethod::Peer) {
    const bool by_account = out.method == AuthMethod::Peer;
    const std::string account =
        by_account && visitor.account ? account_name(*visitor.account) : std::string();
    out.mock = by_account ? !may_be(*config_, demand, account, login) : !is_named;
    if (out.mock)
      base::log(base::LogLevel::Info, "client from {}: user \"{}\" came {} \"{}\"", visitor.peer,
                login, by_account ? "from account" : "with the certificate of",
                by_account ? account : shown);
    return out;
  }
  if (out.method == AuthMethod::Passthrough) return out;
  if (demand.check) {
    out.check = demand.check;
    return out;
  }
  const config::User* user = config_->user(login);
  const bool has_own = user && !user->password.empty();
  out.secret = has_own ? user->password.reveal() : looked_up;
  out.mock = out.method != AuthMethod::Trust && out.secret.empty();
  return out;
}

void House::prove(session::Backend& backend, const std::string& secret, session::Worker& worker,
                  std::function<void(base::Error)> done) {
  proofs_.find({backend, secret}, worker, std::move(done));
}

// Of what servers have accepted before nobody knows whether they would still.
void House::server_refused(const session::Backend& backend) { proofs_.forget(backend); }

base::Result<std::shared_ptr<session::Backend>> House::lookup_backend() {
  const std::lock_guard lock(mutex_);
  if (asker_) return asker_->backend;
  auto entry = make_entry(config::asked_database(*config_), config_->auth.query.database, "");
  if (!entry) return entry.error();
  asker_ = std::move(*entry);
  pool::Orders none;
  asker_->backend->pool().pause(false, base::steady_now(), none);
  return asker_->backend;
}

void House::set_auth_rules() {
  const config::Auth& auth = config_->auth;
  logins_.set_rules({auth.query.sql, auth.query.ttl, auth.query.negative_ttl});
  groups_.set_rules({auth.query.group_sql, auth.query.ttl, auth.query.negative_ttl});
  brake_.set_rules(auth.brake.failures, auth.brake.window);
  proofs_.set_life(auth.passthrough_cache);
}

void House::reload_lookups(session::Worker& worker) {
  const config::Auth& auth = config_->auth;
  set_auth_rules();
  logins_.forget();
  groups_.forget();
  if (!asker_) return;
  if (asker_->name == auth.query.database && asker_->backend->user() == auth.query.user)
    return refresh(*asker_, config::asked_database(*config_), worker);
  asker_->backend->pool().close_idle(worker.orders());
  worker.carry_out(*asker_->backend);
  former_askers_.push_back(std::move(asker_));
}

std::shared_ptr<const session::Plan> House::plan_of(const session::Backend& backend,
                                                    const std::string& login) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({backend.database(), backend.user()});
  const bool is_shared = found != entries_.end() && found->second->backend.get() == &backend;
  return is_shared ? plan_for(*found->second, login) : backend.plan();
}

// Takes a place for the client with each limit that concerns it; all of them or none. One that
// moves has a place there already, where that is the same limit as before.
// What a client calls itself and its database is not proved yet: only names of the configuration
// count.
Error House::count_client(const config::Database* database, const session::Visitor& visitor,
                          std::vector<pool::Budget*>& taken) {
  const config::User* user = config_->user(visitor.request.user);
  const auto known = [this](const std::string& database_name) {
    return config_->databases.contains(database_name) ? database_name : "*";
  };
  struct Wanted {
    pool::Budget* budget = nullptr;
    bool has = false;
  };
  const auto& former = visitor.former;
  std::vector<Wanted> wanted{{&all_clients_, former.has_value()}};
  const auto add = [&](const std::string& what, int limit, bool has) {
    auto& budget = budgets_[what];
    if (!budget) budget = std::make_unique<pool::Budget>(what, limit);
    budget->set_limit(limit);
    wanted.push_back({budget.get(), has});
  };
  if (database)
    add("clients of database " + database->name, database->pool.max_client_connections,
        former && known(former->database) == database->name);
  if (user)
    add("clients of user " + visitor.request.user, user->max_client_connections,
        former && former->user == visitor.request.user);
  for (const Wanted& each : wanted) {
    pool::Budget& budget = *each.budget;
    if (each.has) budget.take_second();
    if (each.has || budget.try_take()) {
      taken.push_back(&budget);
      continue;
    }
    for (pool::Budget* given : taken) given->give();
    taken.clear();
    return {ErrorKind::Refused,
            "too many clients: all " + std::to_string(budget.limit()) + " of " + budget.name() +
                " are in use",
            "53300"};
  }
  return {};
}

void House::login_failed(const std::string& peer, const protocol::LoginRequest& request) {
  ++failed_logins_;
  brake_.failed(peer, request.user, base::steady_now());
  logins_.forget(request.user);  // the secret may be another one since
  groups_.forget(request.user);
}

}  // namespace weir::app
