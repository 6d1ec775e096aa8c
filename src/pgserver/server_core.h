// What the connections of one server share: options, the start-up protocol, the list that owns them
// and the register for cancel requests. Owned by Server; any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include <weir/base/intern.h>
#include <weir/pgserver/server.h>
#include <weir/protocol/postgres.h>

namespace weir::pgserver {

class Connection;

class ServerCore {
 public:
  ServerCore(const ServerOptions& server_options, MakeExecutor make);
  ~ServerCore();

  const ServerOptions options;
  const MakeExecutor make_executor;
  const protocol::Protocol& protocol() const { return *protocol_; }

  Connection& add(net::Loop& loop, std::unique_ptr<net::Stream> stream);
  void remove(Connection& connection);  // after the current callback; on its loop's thread
  size_t size() const;

  int32_t new_process_id();
  void enrol(int32_t process_id, std::string key, Connection& connection);
  // From any loop's thread. Compares the key, then tells the connection on its own thread.
  void cancel(uint64_t process_id, const std::string& key);

 private:
  struct Enrolled {
    std::string key;
    Connection* connection;
  };
  void deliver_cancel(int32_t process_id, const Connection* meant);

  base::InternTable texts_;
  std::unique_ptr<protocol::Protocol> protocol_;
  std::atomic<uint32_t> last_process_id_;
  mutable std::mutex mutex_;
  std::unordered_map<const Connection*, std::unique_ptr<Connection>> connections_;
  std::unordered_map<int32_t, Enrolled> enrolled_;
};

}  // namespace weir::pgserver
