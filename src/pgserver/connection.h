// One client of one of weir's own servers: reads messages, keeps statements, portals, settings and
// the transaction block, and calls the executor. Owned by ServerCore's list; on its loop's thread;
// ends when the stream ends, when the client says goodbye or breaks the protocol, and is removed
// once the executor has wound up.
//
// Greeting ──▶ Open ◀──▶ Working          Open: takes messages, or makes rows while the stream
//   takes them
//       │          │          │             Working: a call of the executor is pending
//       ▼          ▼          ▼
// Ended ◀── Ending ◀──────┘             Ending: waits for what is pending, then for the
//     rollback
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/timer.h>
#include <weir/net/loop.h>
#include <weir/net/stream.h>
#include <weir/pgserver/executor.h>
#include <weir/protocol/postgres.h>

#include "block.h"
#include "server_core.h"
#include "session_statements.h"

namespace weir::pgserver {

class Connection final : public net::Deferred, private net::StreamReader, private ExecutorClient {
 public:
  Connection(ServerCore& core, net::Loop& loop, std::unique_ptr<net::Stream> stream);
  ~Connection() override;
  void start();
  void start_greeted(const Greeted& greeted);
  void cancel();
  net::Loop& loop() { return loop_; }
  int32_t process_id() const { return session_.process_id; }

 private:
  enum class State : uint8_t { Greeting, Open, Working, Ending, Ended };
  // What an answer of the executor is for.
  enum class After : uint8_t {
    Nothing,
    Parse,
    Run,
    Feed,
    Session,
    SyncCommit,
    ScriptCommit,
    Recovery,
    WindUp
  };

  // A prepared statement: the executor's, or one that the connection carries out itself, or an
  // empty one.
  struct Prepared {
    std::shared_ptr<Statement> statement;
    std::optional<SessionStatement> session;
    bool empty = false;
  };
  struct Bound {
    Portal portal;
    std::shared_ptr<Prepared> prepared;
    size_t parameter_bytes = 0;
    bool done = false;
  };
  // A simple Query of one or more statements. Stays at its place, since `lexed` looks into `text`.
  struct Script {
    std::string text;
    Lexed lexed;
    std::vector<TokenRange> parts;
    size_t next = 0;
  };
  // The running statement.
  struct Running {
    std::shared_ptr<Bound> bound;
    uint64_t rows_max = UINT64_MAX;  // of this Execute
    bool simple = false;
    bool described = false;  // its RowDescription has gone out
    bool copying = false;    // rows come from the client
  };

  // connection.cpp: the stream
  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error& why) override;
  void on_writable() override;
  void pump();
  bool step();
  bool flush();
  size_t backlog() const { return out_.size() - out_at_; }
  void settle();
  void pump_soon();
  void end(const Failure* fatal);
  void wind_up();
  void finish();
  static void on_timer(void* self, base::Time);
  void on_deadline();

  // greeting.cpp
  void greet();
  bool admit();
  void welcome();
  bool begin_session();

  // calls.cpp: calls of the executor and what follows
  void call(After after, Answer answer);
  void on_answer(Answer answer) override;
  void resume(Answer answer);
  void after_parse(Answer answer);
  void after_run(Answer answer);
  void after_script_commit(Answer answer);
  void run_more();
  void complete(std::string_view tag);
  void fail(Failure failure);
  void fail(std::string_view sqlstate, std::string message);
  void after_recovery();
  void ready();
  void warn(std::string_view sqlstate, std::string_view text);
  void report_settings();
  void set_deadline();
  void append_failure(const Failure& failure, std::string_view severity);

  // simple.cpp
  void on_query(base::Bytes body);
  void next_in_script();
  void finish_script();
  void run_part(TokenRange part);

  // extended.cpp
  bool next_message();
  void dispatch(char type, base::Bytes body);
  void on_parse(base::Bytes body);
  void on_bind(base::Bytes body);
  bool read_parameters(postgres::BodyReader& in, Bound& bound, const Prepared& prepared);
  bool read_formats(postgres::BodyReader& in, Bound& bound, const Prepared& prepared);
  void on_describe(base::Bytes body);
  void on_execute(base::Bytes body);
  void on_close(base::Bytes body);
  void on_sync();
  void finish_sync();
  bool sync_is_next() const;
  void describe_statement(const Prepared& prepared);
  void append_row_description(const Statement& statement, const Portal* portal);
  bool forget_statement(const std::string& name);
  void forget_portal(const std::string& name);
  void forget_portals();
  bool keeps_too_much(size_t more) const;
  bool refused_in_failed_block(const std::optional<SessionStatement>& session);

  // copy.cpp
  void begin_copy();
  bool on_copy_message(char type, base::Bytes body);
  void after_feed(Answer answer);

  // session.cpp: statements that the connection carries out itself
  void run_session(const SessionStatement& statement);
  void begin_block(const SessionStatement& statement);
  void end_block(const SessionStatement& statement);
  void savepoint(const SessionStatement& statement);
  void set_transaction(const SessionStatement& statement);
  void set_setting(const SessionStatement& statement);
  void show(const SessionStatement& statement);
  void discard(const SessionStatement& statement);
  void deallocate(const SessionStatement& statement);
  void after_session(Answer answer);
  void after_end_of_block(Answer answer);
  void after_discard();
  TransactionMode wanted_mode(const SessionStatement& statement, const TransactionMode& base) const;
  void show_columns(const SessionStatement& statement, std::vector<Column>& columns) const;

  ServerCore& core_;
  net::Loop& loop_;
  std::unique_ptr<net::Stream> stream_;
  State state_ = State::Greeting;
  std::unique_ptr<protocol::Greeting> greeting_;
  base::Timer timer_;

  std::string in_;  // received, from in_at_ on not yet handled
  size_t in_at_ = 0;
  std::string out_;  // to be sent, from out_at_ on
  size_t out_at_ = 0;
  bool wants_writable_ = false;
  bool pumping_ = false;
  bool pump_asked_ = false;  // a run_soon() call refers to this object
  bool ends_after_flush_ = false;

  SessionInfo session_;
  Settings::Mark reported_mark_;
  SettingMap told_;
  Settings::Mark implicit_mark_;  // the settings when the last turn ended
  Block block_;
  std::map<std::string, std::shared_ptr<Prepared>, std::less<>> statements_;
  std::map<std::string, std::shared_ptr<Bound>, std::less<>> portals_;
  size_t kept_bytes_ = 0;
  bool skips_to_sync_ = false;
  bool in_simple_ = false;  // the turn is a simple Query
  bool cancelled_ = false;  // while rows waited for the stream
  base::Time deadline_ = base::kNever;
  base::Duration statement_timeout_ = 0;  // as it stood at timeout_mark_
  Settings::Mark timeout_mark_;

  std::unique_ptr<Script> script_;
  std::optional<Running> running_;
  SessionStatement session_statement_;
  std::pair<std::string, std::shared_ptr<Prepared>> parsing_;
  std::string_view failing_text_;  // what a failure's position counts in
  size_t failing_base_ = 0;
  After after_ = After::Nothing;
  std::unique_ptr<Executor>
      executor_;  // last: destroyed after what it has made is gone, see ~Connection
};

}  // namespace weir::pgserver
