// The end of a login: which server this is, which commands it has, and what they are like. INFO
// names it, so that those who listen to one server are counted together. HELLO and COMMAND
// COUNT say whether a table of such a server is known already; COMMAND, which has a long answer, is
// asked only when there is none. A server that does not say gets what the configuration says.
// Owned by the login.
#pragma once

#include <optional>
#include <string>

#include "command_reader.h"
#include "reply.h"

namespace weir::redis {

class Survey {
 public:
  Survey(CommandTables& known, const protocol::Settings& classes)
      : known_(known), classes_(classes) {}

  // What goes out together with the login's own questions; feed() gets what comes behind the
  // answers to those.
  static void ask(std::string& send);
  struct Result {
    size_t consumed = 0;
    bool over = false;
    bool bad = false;
  };
  Result feed(Bytes in, std::string& send);
  const CommandTables::Table& table() const { return table_; }
  const std::string& run_id() const { return run_id_; }  // empty: it does not say

 private:
  enum class State : uint8_t { Hello, Info, Count, Commands, Over };
  bool step(Bytes in, size_t& used, std::string& send);  // false: more is needed, or it is bad
  void on_hello(Bytes answer);
  void on_info(Bytes answer);
  void on_count(Bytes answer, std::string& send);
  void end();

  CommandTables& known_;
  const protocol::Settings& classes_;
  State state_ = State::Hello;
  std::string server_;  // what distinguishes it
  std::string run_id_;
  CommandReader reader_;
  ReplyStream reply_;
  CommandTables::Table table_;
  bool bad_ = false;
};

}  // namespace weir::redis
