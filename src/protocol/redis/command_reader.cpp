#include "command_reader.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::redis {

namespace {

std::string lower(Bytes text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

}  // namespace

void CommandReader::take(Bytes in) {
  bytes_ += in.size();
  bad_ = bad_ || bytes_ > kBytesMax;
  if (bad_) return;
  const std::string joined = kept_.empty() ? std::string() : kept_ + std::string(in);
  Bytes rest = kept_.empty() ? in : Bytes(joined);
  while (!rest.empty() && !bad_) {
    const auto skipped = static_cast<size_t>(std::min<uint64_t>(skip_, rest.size()));
    skip_ -= skipped;
    rest.remove_prefix(skipped);
    const size_t used = rest.empty() ? 0 : token(rest);
    if (used == 0) break;
    rest.remove_prefix(used);
  }
  kept_ = std::string(rest);
  bad_ = bad_ || kept_.size() > kLineBytesMax + 1;
}

std::vector<CommandRow> CommandReader::take_rows() {
  if (bad_ || !began_ || !frames_.empty()) return {};
  return std::move(rows_);
}

// One line, with the string that it announces.
size_t CommandReader::token(Bytes in) {
  const size_t line = in.find("\r\n");
  if (line == Bytes::npos) return 0;
  bad_ = bad_ || line == 0 || line > kLineBytesMax;
  if (bad_) return line + 2;
  const Bytes text = in.substr(1, line - 1);
  const size_t used = line + 2;
  const bool is_group = in[0] == '*' || in[0] == '~' || in[0] == '%';
  if (!is_group && in[0] != '$') {
    value(text);
    return used;
  }
  int64_t number = 0;
  if (!read_number(text, number) || number < -1 || (is_group && number > kElementsMax)) {
    bad_ = true;
    return used;
  }
  const auto count = static_cast<size_t>(std::max<int64_t>(number, 0));
  if (is_group && number >= 0) {
    group(in[0] == '%' ? count * 2 : count);
    return used;
  }
  if (number < 0 || count > NameIndex::kNameBytesMax) {
    value({});
    skip_ = number < 0 ? 0 : count + 2;
    return used;
  }
  if (in.size() < used + count + 2) return 0;
  value(in.substr(used, count));
  return used + count + 2;
}

void CommandReader::value(Bytes text) {
  if (frames_.empty()) {
    bad_ = true;
    return;
  }
  Frame& frame = frames_.back();
  const uint64_t index = frame.index++;
  --frame.left;
  if (frame.part == Part::Command && index == 0) facts_.back().name = lower(text);
  if (frame.part == Part::Flags || frame.part == Part::Categories) note_word(frame.part, text);
  end_full_groups();
}

void CommandReader::group(uint64_t elements) {
  if (frames_.size() == kDepthMax || (frames_.empty() && began_)) {
    bad_ = true;
    return;
  }
  Part part = Part::Commands;
  if (began_) {
    part = part_within(frames_.back());
    ++frames_.back().index;
    --frames_.back().left;
  }
  began_ = true;
  if (part == Part::Command) facts_.emplace_back();
  frames_.push_back({part, elements});
  end_full_groups();
}

CommandReader::Part CommandReader::part_within(const Frame& frame) {
  if (frame.part == Part::Commands) return Part::Command;
  if (frame.part != Part::Command) return Part::Other;
  switch (frame.index) {
    case 2: return Part::Flags;
    case 6: return Part::Categories;
    case 9: return Part::Commands;
    default: return Part::Other;
  }
}

void CommandReader::end_full_groups() {
  while (!frames_.empty() && frames_.back().left == 0) {
    const Part part = frames_.back().part;
    frames_.pop_back();
    if (part == Part::Command) end_command();
  }
}

void CommandReader::note_word(Part part, Bytes word) {
  struct Word {
    Part part;
    std::string_view text;
    bool Facts::*fact;
  };
  static constexpr auto kWords = std::to_array<Word>({
      {Part::Flags, "blocking", &Facts::blocking},
      {Part::Flags, "pubsub", &Facts::pubsub},
      {Part::Flags, "noscript", &Facts::noscript},
      {Part::Flags, "write", &Facts::write},
      {Part::Flags, "may_replicate", &Facts::may_replicate},
      {Part::Flags, "module", &Facts::module},
      {Part::Flags, "readonly", &Facts::readonly},
      {Part::Flags, "admin", &Facts::admin},
      {Part::Flags, "no_multi", &Facts::no_multi},
      {Part::Flags, "no_async_loading", &Facts::no_async_loading},
      {Part::Categories, "@connection", &Facts::connection},
      {Part::Categories, "@transaction", &Facts::transaction},
  });
  for (const Word& each : kWords)
    if (each.part == part && each.text == word) facts_.back().*each.fact = true;
}

// Of those that weir does not know, in the order in which they are asked: what waits for others;
// then what may leave something on the connection, or take it over.
Way CommandReader::way_of(const Facts& facts) {
  if (facts.blocking) return Way::Block;
  if (facts.transaction || facts.connection) return Way::Unknown;
  if (facts.pubsub && facts.noscript) return Way::Unknown;
  if (facts.admin && facts.no_multi && facts.no_async_loading && facts.noscript)
    return Way::Unknown;
  return Way::Lane;
}

// Servers have a flag "may_replicate", and do not show it: these have it (commands/*.json of Redis
// 7.0), and a module's may.
Effect CommandReader::effect_of(const Facts& facts) {
  constexpr auto kHaveIt = std::to_array<std::string_view>(
      {"eval", "evalsha", "fcall", "pfcount", "publish", "spublish"});
  if (facts.write) return Effect::Writes;
  const bool has_it = std::find(kHaveIt.begin(), kHaveIt.end(), facts.name) != kHaveIt.end();
  const bool may = has_it || facts.may_replicate || (facts.module && !facts.readonly);
  if (may) return Effect::MayWrite;
  return facts.readonly ? Effect::Reads : Effect::None;
}

// Subcommands are called "command|subcommand".
void CommandReader::end_command() {
  const Facts facts = std::move(facts_.back());
  facts_.pop_back();
  CommandRow row;
  const size_t bar = std::min(facts.name.find('|'), facts.name.size());
  row.name = facts.name.substr(0, bar);
  row.subcommand = facts.name.substr(std::min(bar + 1, facts.name.size()));
  if (row.subcommand.empty() && !facts_.empty())
    row.subcommand = std::exchange(row.name, facts_.back().name);
  if (row.name.empty() || facts_.size() > 1) return;
  row.way = way_of(facts);
  row.effect = effect_of(facts);
  bad_ = bad_ || rows_.size() == NameIndex::kRowsMax;
  if (!bad_) rows_.push_back(std::move(row));
}

}  // namespace weir::redis
