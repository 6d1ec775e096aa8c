// An executor without a database, for tests of the server half of the PostgreSQL protocol. What a
// statement does is in its text:
// rows N      N rows of one int4 column n: 1, 2, …          echo       its parameters, one
// column
// each write       a change; opens a transaction                 fail       22012 slow …
// as
//   the rest of the text, but only once the test lets it go (or its cancel comes) copy in     COPY
//   of one column; counts its bytes          big N      N rows of 1000 bytes
// Owned by a connection; the test reaches it through FakeExecutors, which outlives it.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <weir/pgserver/executor.h>

namespace weir::fake {

class FakeExecutor;

struct FakeExecutors {
  std::vector<FakeExecutor*> alive;
  std::string log;  // the calls, in order
  size_t made = 0;
  uint64_t rows = 0;  // sent so far
  base::Duration idle_limit = 0;
};

class FakeExecutor final : public pgserver::Executor {
 public:
  FakeExecutor(FakeExecutors& all, pgserver::ExecutorClient& client) : all_(all), client_(client) {
    all_.alive.push_back(this);
    ++all_.made;
  }
  ~FakeExecutor() override {
    if (pending_) std::abort();  // not while a call is pending
    std::erase(all_.alive, this);
  }

  pgserver::Answer describe(pgserver::Statement& statement) override {
    all_.log += "describe(" + statement.text + ") ";
    shape(statement);
    if (statement.text == "bad") return failed("42601", 0);
    return pgserver::Answer::Done;
  }

  pgserver::Answer run(pgserver::Portal& portal, const pgserver::RunLimits& limits) override {
    std::string text = portal.statement->text;
    if (!portal.kept) all_.log += "run(" + text + (limits.ends_transaction ? ",last" : "") + ") ";
    shape(*portal.statement);
    if (text.rfind("slow ", 0) == 0) {
      portal_ = &portal;
      limits_ = limits;
      pending_ = true;
      return pgserver::Answer::Pending;
    }
    return work(portal, limits, text);
  }

  pgserver::Answer feed(pgserver::Portal& portal, base::Bytes bytes, bool last) override {
    copied_ += bytes;
    if (copied_.find("wrong") != std::string::npos) return failed("22P02", std::string::npos);
    if (!last) return pgserver::Answer::More;
    portal.tag = "COPY " + std::to_string(copied_.size());
    return pgserver::Answer::Done;
  }

  pgserver::Answer transact(const pgserver::TransactionStep& step) override {
    constexpr const char* kNames[] = {"begin",     "commit",      "rollback",
                                      "savepoint", "rollback_to", "release"};
    all_.log += kNames[static_cast<size_t>(step.kind)];
    if (step.kind > pgserver::TransactionStep::Kind::Rollback)
      all_.log += std::to_string(step.depth);
    if (step.mode.isolation != pgserver::Isolation::ReadCommitted) all_.log += "!";
    if (step.mode.read_only) all_.log += "?";
    all_.log += " ";
    if (step.kind == pgserver::TransactionStep::Kind::Commit ||
        step.kind == pgserver::TransactionStep::Kind::Rollback)
      writes_ = false;
    return pgserver::Answer::Done;
  }
  pgserver::Answer fail_block() override {
    all_.log += "fail_block ";
    return pgserver::Answer::Done;
  }
  bool in_transaction() const override { return writes_; }
  base::Duration idle_limit() const override { return all_.idle_limit; }
  void cancel() override {
    all_.log += "cancel ";
    if (!pending_) return;
    pending_ = false;
    failed("57014", std::string::npos);
    client_.on_answer(pgserver::Answer::Failed);
  }
  pgserver::Answer discard() override {
    all_.log += "discard ";
    return pgserver::Answer::Done;
  }

  bool pending() const { return pending_; }
  void let_go() {  // the pending statement runs now
    pending_ = false;
    client_.on_answer(work(*portal_, limits_, portal_->statement->text.substr(5)));
  }

 private:
  struct Count final : pgserver::Kept {
    uint64_t next = 1;
  };

  static uint64_t number(const std::string& text) {
    return std::strtoull(text.c_str() + text.find(' '), nullptr, 10);
  }
  static std::string plain(const pgserver::Statement& statement) {
    return statement.text.rfind("slow ", 0) == 0 ? statement.text.substr(5) : statement.text;
  }
  static void shape(pgserver::Statement& statement) {
    if (statement.described) return;
    statement.described = true;
    const std::string text = plain(statement);
    if (text.rfind("rows ", 0) == 0) statement.columns = {{"n", pgserver::oid::kInt4}};
    if (text.rfind("big ", 0) == 0) statement.columns = {{"b"}};
    if (text.rfind("echo", 0) == 0) {
      if (statement.parameter_types.empty())
        statement.parameter_types = {pgserver::oid::kInt4, pgserver::oid::kText};
      for (const uint32_t type : statement.parameter_types)
        statement.columns.push_back({"p", type});
    }
  }

  pgserver::Answer failed(std::string sqlstate, size_t at) {
    failure_ = pgserver::Failure{std::move(sqlstate), "as the test wants", {}, {}, at};
    return pgserver::Answer::Failed;
  }

  pgserver::Answer work(pgserver::Portal& portal, const pgserver::RunLimits& limits,
                        const std::string& text) {
    if (text == "fail") return failed("22012", 1);
    if (text == "write") {
      writes_ = !limits.ends_transaction;
      portal.tag = "INSERT 0 1";
      return pgserver::Answer::Done;
    }
    if (text == "copy in") {
      copied_.clear();
      portal.copy_columns = 1;
      return pgserver::Answer::WantsCopy;
    }
    if (text.rfind("echo", 0) == 0) {
      std::vector<pgserver::Value> row;
      for (const auto& value : portal.parameters) row.push_back(value.view());
      append(portal, row);
      portal.tag = "SELECT 1";
      return pgserver::Answer::Done;
    }
    const bool big = text.rfind("big ", 0) == 0;
    if (!big && text.rfind("rows ", 0) != 0) return failed("42601", 0);
    return rows(portal, limits, number(text), big);
  }

  pgserver::Answer rows(pgserver::Portal& portal, const pgserver::RunLimits& limits, uint64_t count,
                        bool big) {
    if (!portal.kept) portal.kept = std::make_unique<Count>();
    auto& at = static_cast<Count&>(*portal.kept);
    const std::string filler(1000, 'x');
    for (uint64_t made = 0; at.next <= count; ++made) {
      if (made >= limits.rows || portal.batch.size() >= limits.bytes) return pgserver::Answer::More;
      if (big) {
        append(portal, {{pgserver::ValueKind::Text, 0, 0, filler}});
      } else {
        append(portal, {{pgserver::ValueKind::Integer, static_cast<int64_t>(at.next)}});
      }
      ++at.next;
    }
    portal.tag = "SELECT " + std::to_string(portal.rows);
    return pgserver::Answer::Done;
  }

  void append(pgserver::Portal& portal, const std::vector<pgserver::Value>& row) {
    std::string body;
    base::append_be16(body, static_cast<uint16_t>(row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      if (!pgserver::append_field(body, row[i], portal.statement->columns[i], portal.format_of(i)))
        std::abort();
    portal.batch.push_back('D');
    base::append_be32(portal.batch, static_cast<uint32_t>(body.size() + 4));
    portal.batch += body;
    ++portal.rows;
    ++all_.rows;
  }

  FakeExecutors& all_;
  pgserver::ExecutorClient& client_;
  pgserver::Portal* portal_ = nullptr;
  pgserver::RunLimits limits_;
  std::string copied_;
  bool writes_ = false;
  bool pending_ = false;
};

}  // namespace weir::fake
