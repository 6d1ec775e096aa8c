// What a server's own COMMAND and the configuration say of commands, as far as weir's list
// (commands.h) does not. Made at a server's login, never changed, shared by all servers of the same
// version; found without allocation or lock.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
// tidy(pure-protocol): the logins of all workers share the tables, as COMMAND's answer is long
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/protocol/protocol.h>

#include "commands.h"

namespace weir::redis {

// What a command does to the data: CLIENT PAUSE holds back what may write.
enum class Effect : uint8_t {
  None,  // nothing, but it may be about the server itself
  Reads,
  MayWrite,  // some of the time, or nobody knows
  Writes,
};

// One command or subcommand, in small letters.
struct CommandRow {
  std::string name, subcommand = {};
  Way way = Way::Lane;
  Effect effect = Effect::MayWrite;
};

// Names, found whatever the case of their letters, each with a number.
class NameIndex {
 public:
  static constexpr size_t kNameBytesMax = 128;
  static constexpr size_t kRowsMax = 10'000;

  struct Entry {
    std::string name, subcommand;
    uint8_t value = 0;
  };
  NameIndex() = default;
  // At most kRowsMax, none longer than kNameBytesMax. Of equal ones the first counts.
  explicit NameIndex(std::vector<Entry> entries);

  bool empty() const { return rows_.empty(); }
  // An entry without a subcommand is that of all the command's subcommands which have none.
  std::optional<uint8_t> find(Bytes name, Bytes subcommand) const;

 private:
  struct Row {
    uint32_t at = 0;  // of the name, and behind it the subcommand
    uint8_t name = 0, subcommand = 0, value = 0;
  };
  static size_t letter_of(Bytes name);

  std::string text_;
  std::vector<Row> rows_;  // by first letters; those with a subcommand before the one without
  std::array<uint16_t, 28> first_{};
};

class CommandTable {
 public:
  // `classes`: of the configuration, name or name|subcommand and one of command_classes().
  CommandTable(const std::vector<CommandRow>& of_server, const protocol::Settings& classes);

  // `listed`: what weir's own list says.
  Way way(Bytes name, Bytes subcommand, Way listed) const {
    if (ways_.empty() || must_be_seen(listed)) return listed;
    const auto found = ways_.find(name, subcommand);
    return found ? static_cast<Way>(*found) : listed;
  }
  Effect effect(Bytes name, Bytes subcommand) const {
    const auto found = effects_.find(name, subcommand);
    return found ? static_cast<Effect>(*found) : Effect::MayWrite;
  }

 private:
  NameIndex ways_, effects_;
};

// The tables of all servers that weir knows, by what these have said of themselves. Any thread; at
// logins only.
class CommandTables {
 public:
  using Table = std::shared_ptr<const CommandTable>;
  Table find(const std::string& server);
  void keep(const std::string& server, const Table& table);

 private:
  static constexpr size_t kTablesMax = 16;
  // tidy(pure-protocol): the logins of all workers share the tables, as COMMAND's answer is long
  std::mutex mutex_;
  std::deque<std::pair<std::string, Table>> tables_;
};

}  // namespace weir::redis
