// Runs one Dialogue over one stream under a deadline. Owned by whoever wants it held; destroying it
// gives up. Says how it ended exactly once, and touches nothing of itself afterwards, so that the
// callback may destroy it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <weir/base/timer.h>
#include <weir/net/loop.h>
#include <weir/protocol/protocol.h>

#include "outlet.h"

namespace weir::session {

class Conversation final : private net::StreamReader {
 public:
  // `rest` are bytes that came behind the dialogue's end.
  using Done = std::function<void(base::Status result, std::string rest)>;

  Conversation(net::Loop& loop, net::Stream& stream, std::unique_ptr<protocol::Dialogue> dialogue);
  ~Conversation();
  void begin(base::Duration timeout, Done done);

 private:
  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error& why) override;
  void on_writable() override;
  void step(protocol::Dialogue::Result result, const std::string& send);
  void finish(base::Status result);
  static void on_deadline(void* self, base::Time now);

  net::Loop& loop_;
  net::Stream& stream_;
  std::unique_ptr<protocol::Dialogue> dialogue_;
  std::string in_;
  Outlet outlet_;
  base::Timer timer_;
  Done done_;
};

}  // namespace weir::session
