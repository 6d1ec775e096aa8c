// The other end of a connection to a Redis, and what all ends of a model share (model_redis.h).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::redis::script {

class ModelConnection;

class ModelRedis {
 public:
  struct Value {
    std::string text;
    bool set = false;
    int version = 0;
  };
  Value& at(int database, const std::string& key) { return keys_[database][key]; }

  std::map<std::string, std::string> users{{"default", ""}, {"bob", "b"}};  // and their passwords
  std::set<std::string> forbidden;                                          // channels
  std::vector<ModelConnection*> connections;
  std::string commands;  // the answer to COMMAND; empty: it does not know that
  size_t surveys = 0;    // that have asked for it
  bool paused = false;   // holds back what writes
  int last_id = 500;

 private:
  std::map<int, std::map<std::string, Value>> keys_;
};

// The server's end of a connection.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual std::string feed(std::string_view bytes) = 0;  // what it says, to this or by itself
  virtual bool half_command() const = 0;                 // it waits for the rest of one
  virtual bool at_rest() const = 0;                      // no state that weir would have to undo
  virtual bool stands(int64_t /*database*/, int /*resp*/) const { return true; }
  bool closed = false;
};

}  // namespace weir::redis::script
