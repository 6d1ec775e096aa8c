// A simulated client: writes its program in pieces, pipelines, stalls, cancels, leaves, and holds
// every byte that it is answered against a shadow, a model session that was given the same
// requests.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "program.h"
#include "worlds.h"

namespace weir::sim {

// What a client has to put up with in this world.
struct Tolerance {
  bool refused_turns = false;  // weir's own error instead of an answer
  bool loss = false;           // the end of the connection, with or without last words
};

class SimClient final : private net::StreamReader {
 public:
  struct Options {
    int id = 0;
    uint32_t worker = 0;
    int turns = 10;
    size_t pipeline_max = 1;  // turns without an answer
    bool cancels = false;
    int leaves_after = -1;  // actions until it is gone without a word; -1: it stays to the end
    Tolerance tolerance;
    ProgramOptions program;
  };

  SimClient(model::PooledWorld& world, Random& random, const Options& options);
  bool over() const { return !stream_ && !cancelling_; }
  const std::string& failure() const { return failure_; }
  fake::FakeStream* stream() { return stream_.get(); }
  void act();  // something, or nothing
  void hurry() { options_.pipeline_max = 100; }
  std::string describe() const;

 private:
  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error& why) override;
  void on_writable() override { write(); }

  void begin_turn();
  void write();
  void cancel();
  void leave(bool politely);
  void look();  // at all whole messages that have come
  void on_login_message(const postgres::CutMessage& message);
  void on_message(const postgres::CutMessage& message, base::Bytes raw);
  bool on_error(const postgres::ErrorFields& error, base::Bytes raw);
  void expect(base::Bytes raw);
  bool next_expected();
  bool is_cancelled_sleep();
  void take(const std::string& bytes);
  static void note(model::Settings& into, base::Bytes body);
  bool is_done() const;
  void fail(const std::string& what);
  void note_answered();
  void note_history(std::string line);

  model::PooledWorld& world_;
  Random& random_;
  Options options_;
  Program program_;
  model::Settings defaults_;
  model::ModelSession shadow_;
  std::unique_ptr<fake::FakeStream> stream_;
  fake::Recorder cancel_recorder_;
  std::unique_ptr<fake::FakeStream> cancelling_;
  std::string to_write_;  // of the program
  std::string seen_;      // not yet looked at
  std::string expected_;  // of the shadow, without ParameterStatus
  model::Settings told_, told_shadow_;
  bool logged_in_ = false;
  bool last_words_ = false;
  bool has_cancelled_ = false;
  int turns_begun_ = 0;
  int turns_answered_ = 0;
  uint32_t pid_ = 0;
  std::string key_;
  std::deque<std::string> history_;
  std::string failure_;
};

}  // namespace weir::sim
