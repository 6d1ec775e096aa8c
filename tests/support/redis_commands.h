// Answers to COMMAND, as servers give them. Shared by the tests of Redis.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace weir::redis::script {

using WordList = std::initializer_list<std::string_view>;

// One command, as Redis 7 describes it.
inline std::string described(std::string_view name, WordList flags, WordList categories = {},
                             const std::vector<std::string>& subcommands = {}) {
  const auto words = [](WordList list) {
    std::string out = "*" + std::to_string(list.size()) + "\r\n";
    for (const std::string_view each : list) out += "+" + std::string(each) + "\r\n";
    return out;
  };
  std::string out = "*10\r\n$" + std::to_string(name.size()) + "\r\n" + std::string(name) +
                    "\r\n:-2\r\n" + words(flags) + ":1\r\n:1\r\n:1\r\n" + words(categories) +
                    "*1\r\n$5\r\na tip\r\n";
  out += "*1\r\n*4\r\n$5\r\nflags\r\n*1\r\n+blocking\r\n$4\r\nnote\r\n$200\r\n" +
         std::string(200, 'n') + "\r\n*" + std::to_string(subcommands.size()) + "\r\n";
  for (const std::string& each : subcommands) out += each;
  return out;
}

inline std::string array_of(const std::vector<std::string>& elements) {
  std::string out = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& each : elements) out += each;
  return out;
}

// Some commands of Redis 7, and of a module.
inline std::string some_commands() {
  return array_of({
      described("get", {"readonly", "fast"}, {"@read", "@string"}),
      described("set", {"write", "denyoom"}, {"@write", "@string"}),
      described("eval", {"noscript"}, {"@scripting"}),
      described("publish", {"pubsub"}, {"@pubsub"}),
      described("echo", {"fast"}, {"@connection"}),
      described("blpop", {"write", "blocking"}, {"@write", "@blocking"}),
      described("multi", {"noscript"}, {"@transaction"}),
      described("config", {}, {"@slow"}, {described("config|set", {"admin"})}),
      described("Mod.Wait", {"write", "blocking"}),
      described("mod.follow", {"pubsub", "noscript"}, {"@pubsub"}),
      described("mod.name", {}, {"@fast", "@connection"}),
      described("mod.begin", {}, {"@transaction"}),
      described("mod.read", {"module", "readonly"}),
      described("mod.do", {"module"}),
      described("newer", {"may_replicate"}),
      described("mod", {}, {}, {described("mod|wait", {"blocking"}), described("poll", {"write"})}),
  });
}

}  // namespace weir::redis::script
