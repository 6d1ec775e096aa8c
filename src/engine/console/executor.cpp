#include "executor.h"

#include <weir/base/log.h>

namespace weir::engine::console {

using pgserver::Failure;
using pgserver::Portal;
using pgserver::RunLimits;
using pgserver::Statement;

namespace {

constexpr base::Duration kPatience = base::kSecond;  // with workers that are asked

void append_row(Portal& portal, const Row& row) {
  std::string body;
  base::append_be16(body, static_cast<uint16_t>(row.cells().size()));
  for (size_t i = 0; i < row.cells().size(); ++i) {
    const auto value = row.cells()[i].view();
    const auto& column = portal.statement->columns[i];
    if (!pgserver::append_field(body, value, column, portal.format_of(i)))
      pgserver::append_field(body, {}, column, portal.format_of(i));
  }
  portal.batch.push_back('D');
  base::append_be32(portal.batch, static_cast<uint32_t>(body.size() + 4));
  portal.batch += body;
  ++portal.rows;
}

}  // namespace

struct ConsoleExecutor::Waiting {
  ConsoleExecutor* who = nullptr;  // null: nobody waits any more
  Show what = Show::Clients;
  uint32_t missing = 0;  // workers
  AdminPeople people;
};

struct ConsoleExecutor::Result final : pgserver::Kept {
  std::vector<Row> rows;
  size_t next = 0;
  std::string tag;
};

ConsoleExecutor::ConsoleExecutor(const ConsoleOptions& options, const Seat& seat)
    : options_(options), seat_(seat), timer_(&ConsoleExecutor::on_timer, this) {}

ConsoleExecutor::~ConsoleExecutor() { forget(); }

// Every SHOW but those of settings: then the console says what there is.
bool ConsoleExecutor::claims(const pgserver::Lexed& lexed, pgserver::TokenRange range) {
  if (range.last == range.first || !pgserver::is_word(lexed, range.first, "show")) return false;
  const size_t words = range.last - range.first;
  if (words == 1 || is_show(lexed, range)) return true;
  const std::string name = pgserver::identifier_of(lexed, range.first + 1);
  if (name == "all" || name == "time" || name == "transaction" || name == "session") return false;
  if (words == 2) return !seat_.session.settings.show(name);
  return !pgserver::is_symbol(lexed, range.first + 2, ".");
}

// ---------------------------------------------------------------- what is asked

// A reload may have changed what the user may do.
Command ConsoleExecutor::parse(std::string_view text) {
  return parse_command(text, options_.role_of(seat_.session.user));
}

Answer ConsoleExecutor::fail(const base::Error& error) {
  failure_ = Failure{error.code.empty() ? "58000" : error.code, error.text};
  if (failure_.sqlstate == "42601") failure_.hint = "SHOW HELP lists the commands.";
  return Answer::Failed;
}

// Fills in the columns.
base::Status ConsoleExecutor::shape(Statement& statement, const Command& command) {
  if (statement.described) return base::ok();
  if (const Show* what = std::get_if<Show>(&command)) {
    statement.columns = columns_of(*what);
  } else if (std::holds_alternative<Select>(command)) {
    auto table = select_table(statement.text, seat_.session);
    if (!table) return table.error();
    statement.columns = std::move(table->columns);
  }
  statement.described = true;
  return base::ok();
}

Answer ConsoleExecutor::describe(Statement& statement) {
  const Command command = parse(statement.text);
  if (const Failure* failure = std::get_if<Failure>(&command)) {
    failure_ = *failure;
    return Answer::Failed;
  }
  if (auto shaped = shape(statement, command); !shaped) return fail(shaped.error());
  return Answer::Done;
}

Answer ConsoleExecutor::run(Portal& portal, const RunLimits& limits) {
  if (portal.kept) return go_on(portal, limits);
  const Command command = parse(portal.statement->text);
  if (const Failure* failure = std::get_if<Failure>(&command)) {
    failure_ = *failure;
    return Answer::Failed;
  }
  if (auto shaped = shape(*portal.statement, command); !shaped) return fail(shaped.error());
  portal_ = &portal;
  limits_ = limits;
  if (const Act* act = std::get_if<Act>(&command)) return begin(*act);
  if (const Show* what = std::get_if<Show>(&command)) return show(*what);
  return select();
}

Answer ConsoleExecutor::select() {
  auto table = select_table(portal_->statement->text, seat_.session);
  if (!table) return fail(table.error());
  pgserver::Settings& settings = seat_.session.settings;
  for (const Setting& one : table->sets) {
    const auto refused =
        one.local ? settings.set_local(one.name, one.value) : settings.set(one.name, one.value);
    if (!refused) continue;
    failure_ = Failure{refused->sqlstate, refused->message};
    return Answer::Failed;
  }
  return give(std::move(table->rows), "SELECT 1");
}

Answer ConsoleExecutor::show(Show what) {
  if (what != Show::Clients && what != Show::Servers)
    return give(rows_of(what, options_.view, options_.version), "SHOW");
  ask_workers(what);
  return Answer::Pending;
}

// ---------------------------------------------------------------- what is waited for

void ConsoleExecutor::begin_waiting(base::Time deadline) {
  waiting_ = std::make_shared<Waiting>();
  waiting_->who = this;
  if (deadline != base::kNever) seat_.loop.timers().set(timer_, deadline);
}

void ConsoleExecutor::forget() {
  timer_.drop();
  if (waiting_) waiting_->who = nullptr;
  waiting_.reset();
}

void ConsoleExecutor::ask_workers(Show what) {
  begin_waiting(seat_.loop.now() + kPatience);
  waiting_->what = what;
  waiting_->missing = options_.view.workers();
  for (uint32_t worker = 0; worker < options_.view.workers(); ++worker) {
    options_.view.ask(worker, seat_.loop, [waiting = waiting_](AdminPeople people) {
      if (waiting->who) waiting->who->on_people(std::move(people));
    });
  }
}

void ConsoleExecutor::on_people(AdminPeople people) {
  auto& all = waiting_->people;
  std::move(people.clients.begin(), people.clients.end(), std::back_inserter(all.clients));
  std::move(people.servers.begin(), people.servers.end(), std::back_inserter(all.servers));
  if (--waiting_->missing == 0) finish_inquiry();
}

void ConsoleExecutor::finish_inquiry() {
  const Clock clock{base::steady_now(), pgserver::timestamp_now()};
  auto rows = waiting_->what == Show::Clients ? client_rows(waiting_->people, clock)
                                              : server_rows(waiting_->people, clock);
  forget();
  seat_.client.on_answer(give(std::move(rows), "SHOW"));
}

// A worker that does not answer in time is left out: the others are worth seeing all the more.
void ConsoleExecutor::on_late() {
  if (!waiting_) return;
  if (waiting_->missing > 0) {
    base::log(base::LogLevel::Warn, "console: {} workers have not answered within a second",
              waiting_->missing);
    return finish_inquiry();
  }
  forget();
  failure_ = Failure{"57014", "canceling statement due to statement timeout"};
  seat_.client.on_answer(Answer::Failed);
}

Answer ConsoleExecutor::begin(const Act& act) {
  const AdminCommand& command = act.command;
  std::string said = act.tag;
  if (!command.database.empty()) said += ' ' + command.database;
  if (command.client > 0) said += ' ' + std::to_string(command.client);
  if (command.verb == AdminVerb::ShutDownWaiting) said += " WAIT_FOR_CLIENTS";
  base::log(base::LogLevel::Info, "console: {} says {}", seat_.session.user, said);
  begin_waiting(limits_.deadline);
  auto kept = std::make_unique<Result>();
  kept->tag = act.tag;
  portal_->kept = std::move(kept);
  options_.actions.act(command, seat_.loop, [waiting = waiting_](const base::Status& status) {
    if (waiting->who) waiting->who->on_acted(status);
  });
  return Answer::Pending;
}

void ConsoleExecutor::on_acted(const base::Status& status) {
  forget();
  seat_.client.on_answer(status ? go_on(*portal_, limits_) : fail(status.error()));
}

void ConsoleExecutor::cancel() {
  if (!waiting_) return;
  forget();
  failure_ = Failure{"57014", "canceling statement due to user request"};
  seat_.client.on_answer(Answer::Failed);
}

// ---------------------------------------------------------------- rows

Answer ConsoleExecutor::give(std::vector<Row> rows, std::string tag) {
  auto kept = std::make_unique<Result>();
  kept->rows = std::move(rows);
  kept->tag = std::move(tag);
  portal_->kept = std::move(kept);
  return go_on(*portal_, limits_);
}

Answer ConsoleExecutor::go_on(Portal& portal, const RunLimits& limits) {
  auto& result = static_cast<Result&>(*portal.kept);
  for (uint64_t made = 0; result.next < result.rows.size(); ++made) {
    if (made >= limits.rows || portal.batch.size() >= limits.bytes) return Answer::More;
    append_row(portal, result.rows[result.next++]);
  }
  portal.tag = result.tag;
  return Answer::Done;
}

}  // namespace weir::engine::console
