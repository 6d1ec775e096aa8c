// A small Redis for tests: connections with all the state that a real one has (database, version of
// RESP, user, transaction, watched keys, subscriptions, MONITOR, tracking, name) over one set of
// keys. Its words are those of redis-server 7.0.15. It reads arrays of bulk strings and plain
// lines; its parser shares nothing with the one under test.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redis_connection.h"
#include "redis_words.h"

namespace weir::redis::script {

class ModelConnection final : public Connection, public ModelWords {
 public:
  explicit ModelConnection(ModelRedis& redis) : redis_(redis), id_(++redis.last_id) {
    redis_.connections.push_back(this);
    reset();
  }
  ~ModelConnection() override { std::erase(redis_.connections, this); }
  ModelConnection(const ModelConnection&) = delete;
  ModelConnection& operator=(const ModelConnection&) = delete;

  bool half_command() const override { return !held_ && !in_.empty(); }
  bool at_rest() const override {
    return !multi_ && watched_.empty() && subscribed() == 0 && !monitor_ && !tracking_ &&
           !replica_ && user_ == "default";
  }
  bool stands(int64_t database, int resp) const override {
    return database_ == database && resp_ == resp;
  }
  const std::string& heard() const { return heard_; }  // the last command

  std::string feed(std::string_view bytes) override {
    in_ += bytes;
    Arguments arguments;
    if (held_ && !redis_.paused) command(*std::exchange(held_, std::nullopt));
    while (!closed && !held_ && cut(arguments))
      if (!arguments.empty()) command(arguments);
    return std::exchange(out_, {});
  }

 private:
  struct Command {
    void (ModelConnection::*run)(const Arguments& arguments);
    size_t least = 1, most = SIZE_MAX;  // arguments
  };
  using Names = std::set<std::string>;

  // ---------------------------------------------------------------- reading

  bool cut(Arguments& arguments) {
    arguments.clear();
    const size_t line = in_.find('\n');
    if (line == std::string::npos) return false;
    if (in_[0] == '*') return cut_array(arguments, line + 1);
    for (std::string_view rest(in_.data(), line); !rest.empty();) {
      const size_t end = std::min(rest.find_first_of(" \r"), rest.size());
      if (end > 0) arguments.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(rest.size(), end + 1));
    }
    in_.erase(0, line + 1);
    return true;
  }

  bool cut_array(Arguments& arguments, size_t at) {
    for (int left = std::atoi(in_.c_str() + 1); left > 0; --left) {
      const size_t end = in_.find('\n', at);
      if (end == std::string::npos) return false;
      if (in_[at] != '$') {
        out_ += "-ERR Protocol error: expected '$', got '" + in_.substr(at, 1) + "'\r\n";
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

  // ---------------------------------------------------------------- commands

  static const Command* find(const std::string& name) {
    using M = ModelConnection;
    static const std::map<std::string, Command> commands{
        {"PING", {&M::ping, 1, 2}},
        {"ECHO", {&M::echo, 2, 2}},
        {"GET", {&M::get, 2, 2}},
        {"SET", {&M::set, 3}},
        {"EVAL", {&M::echo, 2}},
        {"LRANGE", {&M::range, 4, 4}},
        {"WATCH", {&M::watch, 2}},
        {"UNWATCH", {&M::unwatch, 1, 1}},
        {"SELECT", {&M::select, 2, 2}},
        {"HELLO", {&M::hello, 1}},
        {"AUTH", {&M::auth, 2, 3}},
        {"SUBSCRIBE", {&M::subscribe, 2}},
        {"PSUBSCRIBE", {&M::subscribe, 2}},
        {"SSUBSCRIBE", {&M::subscribe, 2}},
        {"UNSUBSCRIBE", {&M::unsubscribe}},
        {"PUNSUBSCRIBE", {&M::unsubscribe}},
        {"SUNSUBSCRIBE", {&M::unsubscribe}},
        {"PUBLISH", {&M::publish, 3, 3}},
        {"SPUBLISH", {&M::publish, 3, 3}},
        {"PUBSUB", {&M::pubsub, 2}},
        {"CLIENT", {&M::client, 2}},
        {"COMMAND", {&M::list_commands}},
        {"MOD.WAIT", {&M::ok}},
        {"MOD.READ", {&M::ok}},
        {"MONITOR", {&M::monitor, 1, 1}},
        {"BLPOP", {&M::blpop, 3}},
        {"WAIT", {&M::wait, 3, 3}},
        {"SYNC", {&M::sync, 1, 1}},
        {"READONLY", {&M::ok, 1, 1}},
        {"REPLCONF", {&M::ok}},
        {"ACL", {&M::whoami, 2, 2}},
        {"MULTI", {&M::multi, 1, 1}},
        {"EXEC", {&M::exec, 1, 1}},
        {"DISCARD", {&M::discard, 1, 1}},
        {"RESET", {&M::reset_all, 1, 1}},
        {"QUIT", {&M::quit}},
    };
    const auto found = commands.find(name);
    return found == commands.end() ? nullptr : &found->second;
  }

  void command(const Arguments& arguments) {
    heard_.clear();
    for (const std::string& each : arguments) heard_ += (heard_.empty() ? "" : " ") + each;
    const std::string name = upper(arguments[0]);
    const Command* command = find(name);
    const std::string fault = refusal(name, arguments, command);
    if (!fault.empty()) {
      spoilt_ = multi_;
      if (name == "EXEC") end_block();
      out_ += name == "EXEC" ? "-EXECABORT Transaction discarded because of: " + fault.substr(5)
                             : fault;
      return;
    }
    if (redis_.paused && may_write(name)) {
      held_ = arguments;
      return;
    }
    const bool at_once = name == "EXEC" || name == "DISCARD" || name == "MULTI" ||
                         name == "WATCH" || name == "RESET" || name == "QUIT";
    if (multi_ && !at_once) {
      queued_.push_back(arguments);
      out_ += "+QUEUED\r\n";
      return;
    }
    (this->*command->run)(arguments);
    for (const std::string& key : std::exchange(touched_, {})) invalidate(key);
    if (name != "MONITOR" && name != "AUTH" && name != "HELLO") tell_monitors(arguments);
  }

  std::string refusal(const std::string& name, const Arguments& arguments,
                      const Command* command) const {
    const bool free = name == "AUTH" || name == "HELLO" || name == "RESET" || name == "QUIT";
    if (!command || (name == "COMMAND" && redis_.commands.empty()))
      return "-ERR unknown command '" + arguments[0] + "', with args beginning with: \r\n";
    if (arguments.size() < command->least || arguments.size() > command->most)
      return "-ERR wrong number of arguments for '" + lower(name) + "' command\r\n";
    if (user_.empty() && !free) return "-NOAUTH Authentication required.\r\n";
    const bool listens =
        name.ends_with("SUBSCRIBE") || name == "PING" || name == "RESET" || name == "QUIT";
    if (resp_ != 2 || subscribed() == 0 || listens) return {};
    const bool contains = name == "CLIENT" || name == "PUBSUB";
    const std::string called = lower(name) + (contains ? "|" + lower(at(arguments, 1)) : "");
    return "-ERR Can't execute '" + called +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context\r\n";
  }

  bool may_write(const std::string& name) const {
    if (name == "EXEC")
      return multi_ && std::any_of(queued_.begin(), queued_.end(), [this](const Arguments& each) {
               return may_write(upper(each[0]));
             });
    return name == "SET" || name == "EVAL" || name == "PUBLISH";
  }

  void list_commands(const Arguments& arguments) {
    redis_.surveys += arguments.size() == 1 ? 1 : 0;
    out_ += arguments.size() == 1 ? redis_.commands : ":10\r\n";
  }
  void ok(const Arguments&) { out_ += "+OK\r\n"; }
  void echo(const Arguments& arguments) { out_ += bulk(arguments[1]); }
  void whoami(const Arguments&) { out_ += bulk(user_); }
  void ping(const Arguments& arguments) {
    if (resp_ == 2 && subscribed() > 0)
      out_ += "*2\r\n$4\r\npong\r\n" + bulk(at(arguments, 1));
    else
      out_ += arguments.size() > 1 ? bulk(arguments[1]) : "+PONG\r\n";
  }
  void get(const Arguments& arguments) {
    const ModelRedis::Value& value = redis_.at(database_, arguments[1]);
    if (tracking_) read_.insert(arguments[1]);
    out_ += value.set ? bulk(value.text) : null();
  }
  void set(const Arguments& arguments) {
    ModelRedis::Value& value = redis_.at(database_, arguments[1]);
    value = {arguments[2], true, value.version + 1};
    touched_.push_back(arguments[1]);
    out_ += "+OK\r\n";
  }
  // Whatever the key, it looks like a message.
  void range(const Arguments&) { out_ += "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nl\r\n"; }
  void blpop(const Arguments&) { out_ += null_array(); }
  void wait(const Arguments&) { out_ += ":0\r\n"; }
  void sync(const Arguments&) {
    replica_ = true;
    out_ += "\n$4\r\nRDB!";
  }
  void quit(const Arguments&) {
    out_ += "+OK\r\n";
    closed = true;
  }
  std::string null() const { return resp_ == 3 ? "_\r\n" : "$-1\r\n"; }
  std::string null_array() const { return resp_ == 3 ? "_\r\n" : "*-1\r\n"; }

  // ---------------------------------------------------------------- transactions

  void multi(const Arguments&) {
    out_ += multi_ ? "-ERR MULTI calls can not be nested\r\n" : "+OK\r\n";
    multi_ = true;
  }
  void watch(const Arguments& arguments) {
    if (multi_) {
      out_ += "-ERR WATCH inside MULTI is not allowed\r\n";
      return;
    }
    for (size_t i = 1; i < arguments.size(); ++i)
      watched_.push_back({{database_, arguments[i]}, redis_.at(database_, arguments[i]).version});
    out_ += "+OK\r\n";
  }
  void unwatch(const Arguments&) {
    watched_.clear();
    out_ += "+OK\r\n";
  }
  void discard(const Arguments&) {
    out_ += multi_ ? "+OK\r\n" : "-ERR DISCARD without MULTI\r\n";
    end_block();
  }
  void exec(const Arguments&) {
    const bool was_multi = multi_, spoilt = spoilt_, changed = has_changed();
    const auto queued = queued_;
    if (was_multi) end_block();
    if (!was_multi) {
      out_ += "-ERR EXEC without MULTI\r\n";
    } else if (spoilt) {
      out_ += "-EXECABORT Transaction discarded because of previous errors.\r\n";
    } else if (changed) {
      out_ += null_array();
    } else {
      out_ += "*" + std::to_string(queued.size()) + "\r\n";
      for (const Arguments& each : queued) (this->*find(upper(each[0]))->run)(each);
    }
  }
  void end_block() {
    multi_ = spoilt_ = false;
    queued_.clear();
    watched_.clear();
  }
  bool has_changed() const {
    return std::any_of(watched_.begin(), watched_.end(), [&](const auto& each) {
      return redis_.at(each.first.first, each.first.second).version != each.second;
    });
  }

  // ---------------------------------------------------------------- the connection

  void select(const Arguments& arguments) {
    const std::string& text = arguments[1];
    const bool number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    if (!number) {
      out_ += "-ERR value is not an integer or out of range\r\n";
    } else if (text.size() > 2 || std::stoi(text) > 15) {
      out_ += "-ERR DB index is out of range\r\n";
    } else {
      database_ = std::stoi(text);
      out_ += "+OK\r\n";
    }
  }

  bool let_in(const std::string& user, const std::string& password) {
    const auto found = redis_.users.find(user);
    if (found == redis_.users.end() || (found->second != password && !found->second.empty())) {
      out_ += "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
      return false;
    }
    user_ = user;
    return true;
  }
  void auth(const Arguments& arguments) {
    if (let_in(arguments.size() == 3 ? arguments[1] : "default", arguments.back()))
      out_ += "+OK\r\n";
  }

  void hello(const Arguments& arguments) {
    const std::string& version = at(arguments, 1);
    if (arguments.size() > 1 && version != "2" && version != "3") {
      out_ += "-NOPROTO unsupported protocol version\r\n";
      return;
    }
    std::string name = name_;
    for (size_t i = 2; i < arguments.size(); ++i) {
      const std::string option = upper(arguments[i]);
      if (option == "AUTH" && i + 2 < arguments.size()) {
        if (!let_in(arguments[i + 1], arguments[i + 2])) return;
        i += 2;
      } else if (option == "SETNAME" && i + 1 < arguments.size()) {
        name = arguments[++i];
      } else {
        out_ += "-ERR Syntax error in HELLO option '" + arguments[i] + "'\r\n";
        return;
      }
    }
    if (user_.empty()) {
      out_ += "-NOAUTH HELLO must be called with the client already authenticated\r\n";
      return;
    }
    name_ = name;
    if (!version.empty()) resp_ = version[0] - '0';
    out_ += greeting(resp_, id_);
  }

  void client(const Arguments& arguments) {
    const std::string word = upper(arguments[1]);
    if (word == "ID") {
      out_ += ":" + std::to_string(id_) + "\r\n";
    } else if (word == "INFO") {
      const std::string text = info();
      out_ += resp_ == 3 ? "=" + bulk("txt:" + text).substr(1) : bulk(text);
    } else if (word == "TRACKING") {
      tracking_ = upper(at(arguments, 2)) == "ON";
      out_ += "+OK\r\n";
    } else if (word == "SETNAME") {
      name_ = at(arguments, 2);
      out_ += "+OK\r\n";
    } else if (word == "PAUSE" || word == "UNPAUSE") {
      if (word == "PAUSE" && arguments.size() < 3) {
        out_ += "-ERR wrong number of arguments for 'client|pause' command\r\n";
        return;
      }
      redis_.paused = word == "PAUSE";
      out_ += "+OK\r\n";
    } else if (word == "UNBLOCK") {
      out_ += ":1\r\n";
    } else {
      out_ += "-ERR unknown subcommand '" + arguments[1] + "'. Try CLIENT HELP.\r\n";
    }
  }
  std::string info() const {
    const auto field = [](const char* name, auto number) {
      return std::string(name) + "=" + std::to_string(number) + " ";
    };
    std::string flags = monitor_ ? "O" : "";
    if (subscribed() > 0) flags += "P";
    if (tracking_) flags += "t";
    return field("id", id_) + "addr=127.0.0.1:1 name=" + name_ +
           " flags=" + (flags.empty() ? "N" : flags) + " " + field("db", database_) +
           field("sub", channels_.size()) + field("psub", patterns_.size()) +
           field("ssub", shards_.size()) + "multi=-1 user=" + user_ + " redir=-1 " +
           "resp=" + std::to_string(resp_) + "\n";
  }

  // What a fresh connection is like.
  void reset() {
    end_block();
    for (Names* each : {&channels_, &patterns_, &shards_, &read_}) each->clear();
    monitor_ = tracking_ = false;
    database_ = 0;
    resp_ = 2;
    name_.clear();
    user_ = redis_.users["default"].empty() ? "default" : "";
  }
  void reset_all(const Arguments&) {
    reset();
    out_ += "+RESET\r\n";
  }

  // ---------------------------------------------------------------- pushes

  size_t subscribed() const { return channels_.size() + patterns_.size() + shards_.size(); }
  std::string push(size_t count) const {
    return (resp_ == 3 ? ">" : "*") + std::to_string(count) + "\r\n";
  }
  Names& names_of(const std::string& command) {
    if (command[0] == 'P') return patterns_;
    return command.starts_with("SS") || command.starts_with("SUN") ? shards_ : channels_;
  }
  void confirm(const std::string& command, const std::string* channel, const Names& names) {
    const size_t count = &names == &shards_ ? shards_.size() : channels_.size() + patterns_.size();
    out_ += push(3) + bulk(lower(command)) + (channel ? bulk(*channel) : null()) + ":" +
            std::to_string(count) + "\r\n";
  }
  void subscribe(const Arguments& arguments) {
    for (const std::string& each : arguments)
      if (redis_.forbidden.contains(each))
        return void(out_ += "-NOPERM no such channel for you\r\n");
    Names& names = names_of(upper(arguments[0]));
    for (size_t i = 1; i < arguments.size(); ++i) {
      names.insert(arguments[i]);
      confirm(arguments[0], &arguments[i], names);
    }
  }
  void unsubscribe(const Arguments& arguments) {
    Names& names = names_of(upper(arguments[0]));
    Arguments which(arguments.begin() + 1, arguments.end());
    if (which.empty()) which.assign(names.begin(), names.end());
    if (which.empty()) confirm(arguments[0], nullptr, names);
    for (const std::string& each : which) {
      names.erase(each);
      confirm(arguments[0], &each, names);
    }
  }
  size_t hears(ModelConnection& each, const std::string& word, const Arguments& arguments) {
    const std::string& channel = arguments[1];
    const bool shards = word[0] == 's';
    size_t count = 0;
    if ((shards ? each.shards_ : each.channels_).contains(channel)) {
      each.out_ += each.push(3) + bulk(word) + bulk(channel) + bulk(arguments[2]);
      ++count;
    }
    if (shards) return count;
    for (const std::string& pattern : each.patterns_) {
      if (!fits(channel, pattern)) continue;
      each.out_ +=
          each.push(4) + bulk("pmessage") + bulk(pattern) + bulk(channel) + bulk(arguments[2]);
      ++count;
    }
    return count;
  }
  void publish(const Arguments& arguments) {
    const std::string word = upper(arguments[0]) == "PUBLISH" ? "message" : "smessage";
    size_t count = 0;
    for (ModelConnection* each : redis_.connections)
      if (!each->closed) count += hears(*each, word, arguments);
    out_ += ":" + std::to_string(count) + "\r\n";
  }
  void pubsub(const Arguments& arguments) {
    const std::string word = upper(arguments[1]);
    std::set<std::string> patterns;
    for (const ModelConnection* each : redis_.connections)
      if (!each->closed) patterns.insert(each->patterns_.begin(), each->patterns_.end());
    if (word == "NUMPAT") return void(out_ += ":" + std::to_string(patterns.size()) + "\r\n");
    out_ += "*" + std::to_string(2 * (arguments.size() - 2)) + "\r\n";
    for (size_t i = 2; i < arguments.size(); ++i) {
      const auto listens = [&](const ModelConnection* each) {
        const Names& names = word == "SHARDNUMSUB" ? each->shards_ : each->channels_;
        return !each->closed && names.contains(arguments[i]);
      };
      const auto count =
          std::count_if(redis_.connections.begin(), redis_.connections.end(), listens);
      out_ += bulk(arguments[i]) + ":" + std::to_string(count) + "\r\n";
    }
  }
  void invalidate(const std::string& key) {
    for (ModelConnection* each : redis_.connections)
      if (each->tracking_ && each->resp_ == 3 && !each->closed && each->read_.erase(key) > 0)
        each->out_ += each->push(2) + bulk("invalidate") + "*1\r\n" + bulk(key);
  }
  void monitor(const Arguments&) {
    monitor_ = true;
    out_ += "+OK\r\n";
  }
  void tell_monitors(const Arguments& arguments) {
    for (ModelConnection* each : redis_.connections)
      if (each->monitor_ && !each->closed)
        each->out_ += "+123.456 [0 127.0.0.1:1] \"" + arguments[0] + "\"\r\n";
  }

  ModelRedis& redis_;
  const int id_;
  std::string in_, out_, heard_;
  int database_ = 0, resp_ = 2;
  std::string user_, name_;
  bool multi_ = false, spoilt_ = false;
  bool monitor_ = false, tracking_ = false, replica_ = false;
  std::vector<Arguments> queued_;
  std::optional<Arguments> held_;  // by a pause
  std::vector<std::pair<std::pair<int, std::string>, int>> watched_;
  Names channels_, patterns_, shards_, read_;
  std::vector<std::string> touched_;  // keys
};

}  // namespace weir::redis::script
