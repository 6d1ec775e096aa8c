// One client of the console. Owned by its connection, on its loop's thread. SHOW CLIENTS and SHOW
// SERVERS ask every worker and wait for the answers, for a second at most; a command waits until it
// is done, or until the client cancels it or leaves.
#pragma once

#include <memory>

#include <weir/base/timer.h>
#include <weir/engine/console.h>
#include <weir/net/loop.h>
#include <weir/pgserver/executor.h>

#include "table.h"

namespace weir::engine::console {

using pgserver::Answer;

class ConsoleExecutor final : public pgserver::Executor {
 public:
  struct Seat {
    net::Loop& loop;
    pgserver::SessionInfo& session;
    pgserver::ExecutorClient& client;
  };
  ConsoleExecutor(const ConsoleOptions& options, const Seat& seat);
  ~ConsoleExecutor() override;

  bool claims(const pgserver::Lexed& lexed, pgserver::TokenRange range) override;
  Answer describe(pgserver::Statement& statement) override;
  Answer run(pgserver::Portal& portal, const pgserver::RunLimits& limits) override;
  Answer feed(pgserver::Portal&, base::Bytes, bool) override { return Answer::Done; }

  // There is nothing to be undone: a transaction is only the client's word.
  Answer transact(const pgserver::TransactionStep&) override { return Answer::Done; }
  Answer fail_block() override { return Answer::Done; }
  bool in_transaction() const override { return false; }
  void cancel() override;
  Answer discard() override { return Answer::Done; }

 private:
  struct Waiting;  // for workers, or for a command; shared with those who will answer
  struct Result;   // what is kept of a portal

  Command parse(std::string_view text);
  base::Status shape(pgserver::Statement& statement, const Command& command);
  Answer show(Show what);
  Answer select();
  Answer begin(const Act& act);
  void begin_waiting(base::Time deadline);
  void ask_workers(Show what);
  void on_people(AdminPeople people);
  void on_acted(const base::Status& status);
  void finish_inquiry();
  void forget();
  Answer give(std::vector<Row> rows, std::string tag);
  Answer go_on(pgserver::Portal& portal, const pgserver::RunLimits& limits);
  Answer fail(const base::Error& error);
  static void on_timer(void* self, base::Time) { static_cast<ConsoleExecutor*>(self)->on_late(); }
  void on_late();

  const ConsoleOptions& options_;
  Seat seat_;
  pgserver::Portal* portal_ = nullptr;  // of the call that is being answered
  pgserver::RunLimits limits_;
  std::shared_ptr<Waiting> waiting_;
  base::Timer timer_;
};

}  // namespace weir::engine::console
