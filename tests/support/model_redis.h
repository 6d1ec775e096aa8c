// A small Redis for tests: connections with their own database, MULTI and WATCH over one set of
// keys. It reads arrays of bulk strings and plain lines; its parser shares nothing with the one
// under test.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::redis::script {

class ModelRedis {
 public:
  struct Value {
    std::string text;
    bool set = false;
    int version = 0;
  };
  Value& at(int database, const std::string& key) { return keys_[database][key]; }

 private:
  std::map<int, std::map<std::string, Value>> keys_;
};

// The server's end of a connection.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual std::string feed(std::string_view bytes) = 0;  // what it answers
  virtual bool half_command() const = 0;                 // it waits for the rest of one
  virtual bool at_rest() const = 0;
  bool closed = false;
};

class ModelConnection final : public Connection {
 public:
  explicit ModelConnection(ModelRedis& redis) : redis_(redis) {}

  bool half_command() const override { return !in_.empty(); }
  bool at_rest() const override { return !multi_ && watched_.empty(); }

  std::string feed(std::string_view bytes) override {
    in_ += bytes;
    std::string out;
    std::vector<std::string> arguments;
    while (!closed && cut(arguments, out))
      if (!arguments.empty()) command(arguments, out);
    return out;
  }

  static std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
  }

 private:
  using Arguments = std::vector<std::string>;

  bool cut(Arguments& arguments, std::string& out) {
    arguments.clear();
    const size_t line = in_.find('\n');
    if (line == std::string::npos) return false;
    if (in_[0] != '*') {
      for (std::string_view rest(in_.data(), line); !rest.empty();) {
        const size_t end = std::min(rest.find_first_of(" \r"), rest.size());
        if (end > 0) arguments.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(rest.size(), end + 1));
      }
      in_.erase(0, line + 1);
      return true;
    }
    size_t at = line + 1;
    for (int left = std::atoi(in_.c_str() + 1); left > 0; --left) {
      const size_t end = in_.find('\n', at);
      if (end == std::string::npos) return false;
      if (in_[at] != '$') {
        out += "-ERR Protocol error: expected '$', got '" + in_.substr(at, 1) + "'\r\n";
        closed = true;
        return false;
      }
      const size_t length = static_cast<size_t>(std::atoll(in_.c_str() + at + 1));
      if (in_.size() < end + 1 + length + 2) return false;
      arguments.push_back(in_.substr(end + 1, length));
      at = end + 1 + length + 2;
    }
    in_.erase(0, at);
    return true;
  }

  void command(const Arguments& arguments, std::string& out) {
    std::string name;
    for (const char c : arguments[0]) name += static_cast<char>(std::toupper(c));
    if (name == "QUIT") {
      out += "+OK\r\n";
      closed = true;
    } else if (name == "MULTI") {
      out += multi_ ? "-ERR MULTI calls can not be nested\r\n" : "+OK\r\n";
      multi_ = true;
    } else if (name == "EXEC" || name == "DISCARD") {
      end_block(name, out);
    } else if (name == "WATCH" && multi_) {
      out += "-ERR WATCH inside MULTI is not allowed\r\n";
    } else if (multi_) {
      if (is_known(name)) {
        queued_.push_back(arguments);
        out += "+QUEUED\r\n";
      } else {
        run(name, arguments, out);
        spoilt_ = true;
      }
    } else {
      run(name, arguments, out);
    }
  }

  void end_block(const std::string& name, std::string& out) {
    if (!multi_) {
      out += "-ERR " + name + " without MULTI\r\n";
      return;
    }
    const auto queued = std::exchange(queued_, {});
    const bool spoilt = std::exchange(spoilt_, false);
    multi_ = false;
    const bool changed = has_changed();
    watched_.clear();
    if (name == "DISCARD") {
      out += "+OK\r\n";
    } else if (spoilt) {
      out += "-EXECABORT Transaction discarded because of previous errors.\r\n";
    } else if (changed) {
      out += "*-1\r\n";
    } else {
      out += "*" + std::to_string(queued.size()) + "\r\n";
      for (const Arguments& each : queued) run(upper(each[0]), each, out);
    }
  }

  static std::string upper(const std::string& text) {
    std::string out;
    for (const char c : text) out += static_cast<char>(std::toupper(c));
    return out;
  }
  static bool is_known(const std::string& name) {
    static const std::set<std::string> names{"PING",  "ECHO",    "GET",    "SET",
                                             "WATCH", "UNWATCH", "SELECT", "SUBSCRIBE"};
    return names.contains(name);
  }
  bool has_changed() const {
    for (const auto& [key, version] : watched_)
      if (redis_.at(key.first, key.second).version != version) return true;
    return false;
  }

  void run(const std::string& name, const Arguments& arguments, std::string& out) {
    const auto argument = [&](size_t i) { return i < arguments.size() ? arguments[i] : ""; };
    if (name == "PING") {
      out += arguments.size() > 1 ? bulk(argument(1)) : "+PONG\r\n";
    } else if (name == "ECHO") {
      out += bulk(argument(1));
    } else if (name == "SET") {
      ModelRedis::Value& value = redis_.at(database_, argument(1));
      value = {argument(2), true, value.version + 1};
      out += "+OK\r\n";
    } else if (name == "GET") {
      const ModelRedis::Value& value = redis_.at(database_, argument(1));
      out += value.set ? bulk(value.text) : "$-1\r\n";
    } else if (name == "WATCH") {
      for (size_t i = 1; i < arguments.size(); ++i)
        watched_.push_back({{database_, arguments[i]}, redis_.at(database_, arguments[i]).version});
      out += "+OK\r\n";
    } else if (name == "UNWATCH") {
      watched_.clear();
      out += "+OK\r\n";
    } else if (name == "SELECT") {
      database_ = std::atoi(argument(1).c_str());
      out += "+OK\r\n";
    } else if (name == "SUBSCRIBE") {
      for (size_t i = 1; i < arguments.size(); ++i)
        out += "*3\r\n$9\r\nsubscribe\r\n" + bulk(arguments[i]) + ":" + std::to_string(i) + "\r\n";
    } else {
      out += "-ERR unknown command '" + argument(0) + "', with args beginning with: \r\n";
    }
  }

  ModelRedis& redis_;
  int database_ = 0;
  std::string in_;
  bool multi_ = false, spoilt_ = false;
  std::vector<Arguments> queued_;
  std::vector<std::pair<std::pair<int, std::string>, int>> watched_;
};

}  // namespace weir::redis::script
