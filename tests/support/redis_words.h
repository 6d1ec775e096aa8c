// Words of the model server (model_redis.h).
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::redis::script {

class ModelWords {
 public:
  static std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
  }
  static std::string greeting(int resp, int64_t id) {
    return (resp == 3 ? "%7\r\n" : "*14\r\n") + bulk("server") + bulk("redis") + bulk("version") +
           bulk("7.0.15") + bulk("proto") + ":" + std::to_string(resp) + "\r\n" + bulk("id") + ":" +
           std::to_string(id) + "\r\n" + bulk("mode") + bulk("standalone") + bulk("role") +
           bulk("master") + bulk("modules") + "*0\r\n";
  }

 protected:
  using Arguments = std::vector<std::string>;

  static std::string upper(const std::string& text) {
    std::string out;
    for (const char c : text) out += static_cast<char>(std::toupper(c));
    return out;
  }
  static std::string lower(const std::string& text) {
    std::string out;
    for (const char c : text) out += static_cast<char>(std::tolower(c));
    return out;
  }
  static const std::string& at(const Arguments& arguments, size_t i) {
    static const std::string kNone;
    return i < arguments.size() ? arguments[i] : kNone;
  }
  // Stars and question marks only.
  static bool fits(std::string_view text, std::string_view pattern) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*')
      return fits(text, pattern.substr(1)) || (!text.empty() && fits(text.substr(1), pattern));
    return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
           fits(text.substr(1), pattern.substr(1));
  }
};

}  // namespace weir::redis::script
