// What a row of the table of options is made of. A Field knows how to read one option from YAML,
// show it, copy it and compare it; it is made from a codec (what the text looks like) and from
// pointers to the member.
//
//   {"size", field<Whole<1>, &PoolOptions::size>, "20", "server connections of a pool"}
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reading.h"
#include "scalars.h"

namespace weir::config {

template <class Owner>
struct Field {
  void (*read)(Reading&, const Value&, Owner&);
  std::string (*takes)();             // "a whole number"; null: a section, not an option
  std::string (*show)(const Owner&);  // null for sections
  void (*copy)(const Owner& from, Owner& to);
  bool (*same)(const Owner&, const Owner&);
};

// Names with dots stand for maps in maps: "retry.min".
template <class Owner>
struct Option {
  std::string_view name;
  Field<Owner> field;
  std::string_view fallback = {};
  std::string_view meaning = {};
};

// ---------------------------------------------------------------- codecs

template <int64_t Min = 0, int64_t Max = 1'000'000'000>
struct Whole {
  static bool parse(const std::string& text, auto& out) {
    int64_t value = 0;
    if (!parse_whole(text, Max, value) || value < Min) return false;
    out = static_cast<std::remove_reference_t<decltype(out)>>(value);
    return true;
  }
  static std::string show(auto value) { return std::to_string(value); }
  static std::string takes() {
    if (Max < 1'000'000'000) {
      return "a whole number between " + std::to_string(Min) + " and " + std::to_string(Max);
    }
    return Min == 0 ? "a whole number" : "a whole number of at least " + std::to_string(Min);
  }
};

template <Duration Min = 0>
struct Period {
  static bool parse(const std::string& text, Duration& out) {
    const auto value = parse_duration(text);
    if (!value || value.value() < Min) return false;
    out = value.value();
    return true;
  }
  static std::string show(Duration value) { return show_duration(value); }
  static std::string takes() {
    if (Min == 0) return "a duration such as 250ms, 30s, 10m or 1h, or 0";
    return "a duration such as 250ms, 30s, 10m or 1h, of at least " + show_duration(Min);
  }
};

template <size_t Min, size_t Max>
struct Size {
  static bool parse(const std::string& text, size_t& out) {
    const auto value = parse_size(text);
    if (!value || value.value() < Min || value.value() > Max) return false;
    out = value.value();
    return true;
  }
  static std::string show(size_t value) { return show_size(value); }
  static std::string takes() {
    return "a size such as 64KiB or 1MiB, between " + show_size(Min) + " and " + show_size(Max);
  }
};

struct YesNo {
  static bool parse(const std::string& text, bool& out) {
    out = text == "true" || text == "yes" || text == "on";
    return out || text == "false" || text == "no" || text == "off";
  }
  static std::string show(bool value) { return value ? "true" : "false"; }
  static std::string takes() { return "true or false"; }
};

template <class E>
using Word = std::pair<std::string_view, E>;

// One of the words of an array of Word<E>.
template <const auto& Table>
struct OneOf {
  static bool parse(const std::string& text, auto& out) {
    for (const auto& [word, value] : Table) {
      if (word != text) continue;
      out = value;
      return true;
    }
    return false;
  }
  static std::string show(auto current) {
    for (const auto& [word, value] : Table) {
      if (value == current) return std::string(word);
    }
    return {};
  }
  static std::string takes() {
    std::string out = "one of";
    for (const auto& row : Table) out += (out.size() > 6 ? ", " : " ") + std::string(row.first);
    return out;
  }
};

struct Text {
  static bool parse(const std::string& text, std::string& out) {
    out = text;
    return true;
  }
  static std::string show(const std::string& value) { return value.empty() ? "\"\"" : value; }
  static std::string takes() { return "a text"; }
};

struct SomeText : Text {
  static bool parse(const std::string& text, std::string& out) {
    out = text;
    return !text.empty();
  }
  static std::string takes() { return "a text that is not empty"; }
};

struct ResetText : SomeText {
  static std::string takes() { return "auto, always, never or an SQL text"; }
};

struct Hidden {
  static bool parse(const std::string& text, Secret& out) {
    out = Secret(text);
    return true;
  }
  static std::string show(const Secret& value) { return value.empty() ? "\"\"" : "***"; }
  static std::string takes() { return "a text"; }
};

struct Workers {
  static bool parse(const std::string& text, int& out) {
    if (text != "auto") return Whole<1, 256>::parse(text, out);
    out = 0;
    return true;
  }
  static std::string show(int value) { return value == 0 ? "auto" : std::to_string(value); }
  static std::string takes() { return "auto or " + Whole<1, 256>::takes(); }
};

struct FileMode {
  static bool parse(const std::string& text, unsigned& out) {
    if (text.empty() || text.size() > 4) return false;
    if (text.find_first_not_of("01234567") != std::string::npos) return false;
    out = static_cast<unsigned>(std::stoul(text, nullptr, 8));
    return out <= 0777;
  }
  static std::string show(unsigned value) {
    std::string digits = "0000";
    for (size_t i = 0; i < 4; ++i) digits[3 - i] = static_cast<char>('0' + (value >> (3 * i) & 7));
    return digits;
  }
  static std::string takes() { return "an octal file mode such as \"0770\""; }
};

enum class Over : uint8_t { Any, Tcp, Unix };

template <Over Where>
struct At {
  static bool parse(const std::string& text, Address& out) {
    auto address = parse_address(text);
    if (!address) return false;
    const bool is_tcp = address->kind == Address::Kind::Tcp;
    if (Where != Over::Any && is_tcp != (Where == Over::Tcp)) return false;
    out = std::move(*address);
    return true;
  }
  static bool parse(const std::string& text, std::optional<Address>& out) {
    return parse(text, out.emplace());
  }
  static std::string show(const Address& value) { return value.text(); }
  static std::string show(const std::optional<Address>& value) {
    return value ? value->text() : std::string();
  }
  static std::string takes() {
    if (Where == Over::Tcp) return "an address: host:port or [v6]:port";
    if (Where == Over::Unix) return "an address: unix:/path or unix:@name";
    return "an address: host:port, [v6]:port, unix:/path or unix:@name";
  }
};

// ---------------------------------------------------------------- fields

template <auto First, auto... Rest>
auto& reach(auto& owner) {
  if constexpr (sizeof...(Rest) == 0) {
    return owner.*First;
  } else {
    return reach<Rest...>(owner.*First);
  }
}

template <class T>
struct OwnerOf;
template <class Owner, class Member>
struct OwnerOf<Member Owner::*> {
  using Type = Owner;
};

template <class Codec, class Member>
void read_scalar(Reading& reading, const Value& value, Member& member) {
  if (!value.node.IsScalar()) {
    reading.complain(value.place, value.path, "expected " + Codec::takes());
    return;
  }
  const auto text = reading.scalar(value);
  if (!text) return;  // it has complained
  Member fresh{};
  if (Codec::parse(*text, fresh)) {
    member = std::move(fresh);
  } else {
    reading.complain(value.place, value.path, "expected " + Codec::takes());
  }
}

template <class Codec, auto First, auto... Rest>
constexpr auto field = Field<typename OwnerOf<decltype(First)>::Type>{
    [](Reading& reading, const Value& value, auto& owner) {
      read_scalar<Codec>(reading, value, reach<First, Rest...>(owner));
    },
    [] { return Codec::takes(); },
    [](const auto& owner) { return Codec::show(reach<First, Rest...>(owner)); },
    [](const auto& from, auto& to) { reach<First, Rest...>(to) = reach<First, Rest...>(from); },
    [](const auto& a, const auto& b) {
      return reach<First, Rest...>(a) == reach<First, Rest...>(b);
    }};

// A list of names; lists of several files are appended.
template <auto First, auto... Rest>
constexpr auto names = Field<typename OwnerOf<decltype(First)>::Type>{
    [](Reading& reading, const Value& value, auto& owner) {
      for (const Value& one : reading.elements(value)) {
        read_scalar<SomeText>(reading, one, reach<First, Rest...>(owner).emplace_back());
      }
    },
    [] { return std::string("a list of names"); },
    [](const auto& owner) {
      std::string out;
      for (const auto& one : reach<First, Rest...>(owner)) out += (out.empty() ? "" : ", ") + one;
      return '[' + out + ']';
    },
    [](const auto& from, auto& to) { reach<First, Rest...>(to) = reach<First, Rest...>(from); },
    [](const auto& a, const auto& b) {
      return reach<First, Rest...>(a) == reach<First, Rest...>(b);
    }};

// A part of the configuration with a table or a reader of its own.
template <class Owner>
constexpr Field<Owner> section(void (*read)(Reading&, const Value&, Owner&)) {
  return {read, nullptr, nullptr, nullptr, nullptr};
}

// ---------------------------------------------------------------- reading a map by its table

template <class Owner>
struct Target {
  std::span<const Option<Owner>> options;
  Owner& owner;
  std::string_view group = {};  // in front of what is noted as given: "pool."
  Names* given = nullptr;
  bool (*allowed)(std::string_view name) = nullptr;  // null: all
};

void complain_unknown(Reading& reading, const Entry& entry, const std::vector<std::string>& known);
bool is_list(const Value& value);

template <class Owner>
void read_map(Reading& reading, const Value& map, const Target<Owner>& to, std::string at = {}) {
  for (const Entry& entry : reading.entries(map)) {
    const std::string name = at + entry.key;
    std::vector<std::string> known;
    const Option<Owner>* found = nullptr;
    bool is_prefix = false;
    for (const Option<Owner>& option : to.options) {
      if (!option.name.starts_with(at) || (to.allowed && !to.allowed(option.name))) continue;
      known.emplace_back(
          option.name.substr(at.size()).substr(0, option.name.substr(at.size()).find('.')));
      if (option.name == name) found = &option;
      is_prefix = is_prefix || option.name.starts_with(name + '.');
    }
    if (is_prefix) {
      read_map(reading, entry.value, to, name + '.');
    } else if (!found) {
      complain_unknown(reading, entry, known);
    } else if (!found->field.takes) {
      found->field.read(reading, entry.value, to.owner);
    } else if (is_list(entry.value) || reading.claim(entry.value.path, entry.value.place)) {
      found->field.read(reading, entry.value, to.owner);
      if (to.given) to.given->insert(std::string(to.group) + name);
    }
  }
}

// Everything that is not in `given` comes from `from`.
template <class Owner>
void inherit(std::span<const Option<Owner>> options, const Owner& from, const Target<Owner>& to) {
  for (const Option<Owner>& option : options) {
    if (!to.given->contains(std::string(to.group) + std::string(option.name))) {
      option.field.copy(from, to.owner);
    }
  }
}

}  // namespace weir::config
