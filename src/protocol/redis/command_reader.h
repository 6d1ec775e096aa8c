// Reads a server's answer to COMMAND, in whatever pieces it comes ("COMMAND" in Redis' command
// reference; addReplyCommandInfo() in its server.c):
//
//   *240  *10  $3 get  :2  *2 +readonly +fast  :1 :1 :1  *3 +@read ...  *0  *1 ...  *0
//         or *6, *7    flags                             categories    tips keys subcommands
//
// Keeps names and classes only. What does not look like this, or is too much, leaves no rows. Where
// the answer ends is not its business (ReplyStream).
#pragma once

#include <string>
#include <vector>

#include "command_table.h"

namespace weir::redis {

class CommandReader {
 public:
  static constexpr size_t kBytesMax = 8 << 20;

  void take(Bytes in);
  // Of the whole answer; nothing: it has not been understood.
  std::vector<CommandRow> take_rows();

 private:
  enum class Part : uint8_t { Commands, Command, Flags, Categories, Other };
  struct Frame {
    Part part = Part::Other;
    uint64_t left = 0;   // elements to come
    uint64_t index = 0;  // of the next one
  };
  // What the flags and categories of one command say.
  struct Facts {
    std::string name;
    bool blocking = false, pubsub = false, noscript = false, write = false, may_replicate = false;
    bool module = false, readonly = false, admin = false, no_multi = false,
         no_async_loading = false;
    bool connection = false, transaction = false;
  };
  static constexpr size_t kDepthMax = 32;
  static constexpr size_t kLineBytesMax = 1024;
  static constexpr int64_t kElementsMax = 1'000'000;
  static Part part_within(const Frame& frame);
  static Way way_of(const Facts& facts);
  static Effect effect_of(const Facts& facts);

  size_t token(Bytes in);  // bytes that were used; 0: more are needed
  void value(Bytes text);
  void group(uint64_t elements);
  void end_full_groups();
  void note_word(Part part, Bytes word);
  void end_command();

  std::vector<Frame> frames_;
  std::vector<Facts> facts_;  // of the commands that are open, one in the other
  std::vector<CommandRow> rows_;
  std::string kept_;   // half a token
  uint64_t skip_ = 0;  // bytes of a long string to come
  size_t bytes_ = 0;
  bool began_ = false;
  bool bad_ = false;
};

}  // namespace weir::redis
