#include "command_table.h"

#include <weir/protocol/redis.h>

#include <algorithm>
#include <tuple>

namespace weir::redis {

namespace {

struct Class {
  std::string_view name;
  Way way;
};
constexpr auto kClasses = std::to_array<Class>({
    {"lane", Way::Lane},
    {"heavy", Way::Heavy},
    {"lease", Way::Alone},
    {"blocking", Way::Block},
    {"pinned", Way::Pinned},
});

NameIndex::Entry entry_of(const std::string& key, Way way) {
  const size_t bar = std::min(key.find('|'), key.size());
  const size_t behind = std::min(bar + 1, key.size());
  return {key.substr(0, bar), key.substr(behind), static_cast<uint8_t>(way)};
}

std::vector<NameIndex::Entry> ways_of(const std::vector<CommandRow>& of_server,
                                      const protocol::Settings& classes) {
  std::vector<NameIndex::Entry> out;
  for (const auto& [key, value] : classes) {
    const auto found =
        std::find_if(kClasses.begin(), kClasses.end(),
                     [&named = value](const Class& each) { return each.name == named; });
    if (found == kClasses.end() || key.size() > NameIndex::kNameBytesMax) continue;
    if (out.size() < NameIndex::kRowsMax) out.push_back(entry_of(key, found->way));
  }
  for (const CommandRow& row : of_server)
    if (row.way != Way::Lane && !is_listed(row.name, row.subcommand))
      out.push_back({row.name, row.subcommand, static_cast<uint8_t>(row.way)});
  return out;
}

std::vector<NameIndex::Entry> effects_of(const std::vector<CommandRow>& of_server) {
  std::vector<NameIndex::Entry> out;
  for (const CommandRow& row : of_server)
    out.push_back({row.name, row.subcommand, static_cast<uint8_t>(row.effect)});
  return out;
}

}  // namespace

// 26: the names that begin with anything but a letter.
size_t NameIndex::letter_of(Bytes name) {
  if (name.empty()) return 26;
  const auto letter = static_cast<unsigned char>((name[0] | 0x20) - 'a');
  return std::min<size_t>(letter, 26);
}

NameIndex::NameIndex(std::vector<Entry> entries) {
  const auto key = [](const Entry& each) {
    return std::tuple(letter_of(each.name), std::string_view(each.name), each.subcommand.empty(),
                      std::string_view(each.subcommand));
  };
  std::stable_sort(entries.begin(), entries.end(),
                   [&key](const Entry& a, const Entry& b) { return key(a) < key(b); });
  const auto end = std::unique(entries.begin(), entries.end(),
                               [&key](const Entry& a, const Entry& b) { return key(a) == key(b); });
  entries.erase(end, entries.end());
  for (const Entry& each : entries) {
    rows_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint8_t>(each.name.size()),
                     static_cast<uint8_t>(each.subcommand.size()), each.value});
    text_ += each.name + each.subcommand;
    for (size_t letter = letter_of(each.name) + 1; letter < first_.size(); ++letter)
      first_[letter] = static_cast<uint16_t>(rows_.size());
  }
}

std::optional<uint8_t> NameIndex::find(Bytes name, Bytes subcommand) const {
  const size_t letter = letter_of(name);
  const Bytes text = text_;
  for (size_t i = first_[letter]; i < first_[letter + 1]; ++i) {
    const Row& row = rows_[i];
    if (row.name != name.size() || !equal_ignoring_case(name, text.substr(row.at, row.name)))
      continue;
    const Bytes sub = text.substr(row.at + row.name, row.subcommand);
    if (sub.empty() || equal_ignoring_case(subcommand, sub)) return row.value;
  }
  return std::nullopt;
}

CommandTable::CommandTable(const std::vector<CommandRow>& of_server,
                           const protocol::Settings& classes)
    : ways_(ways_of(of_server, classes)), effects_(effects_of(of_server)) {}

CommandTables::Table CommandTables::find(const std::string& server) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, table] : tables_)
    if (name == server) return table;
  return nullptr;
}

void CommandTables::keep(const std::string& server, const Table& table) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, known] : tables_)
    if (name == server) return;  // two logins have asked at the same time
  if (tables_.size() == kTablesMax) tables_.pop_front();
  tables_.emplace_back(server, table);
}

std::vector<std::string> command_classes() {
  std::vector<std::string> out;
  for (const Class& each : kClasses) out.emplace_back(each.name);
  return out;
}

std::vector<std::pair<std::string, std::string>> fixed_commands() { return commands_to_be_seen(); }

}  // namespace weir::redis
