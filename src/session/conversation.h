// Runs one Dialogue over one stream under a deadline. Owned by whoever wants it held; destroying it
// gives up. Says how it ended exactly once, and touches nothing of itself afterwards, so that the
// callback may destroy it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <weir/base/timer.h>
#include <weir/net/loop.h>
#include <weir/net/tls.h>
#include <weir/protocol/protocol.h>

#include "outlet.h"

namespace weir::session {

class Conversation final : private net::StreamReader {
 public:
  // `rest` are bytes that came behind the dialogue's end.
  using Done = std::function<void(base::Status result, std::string rest)>;

  Conversation(net::Loop& loop, net::Stream& stream, std::unique_ptr<protocol::Dialogue> dialogue);
  ~Conversation();
  // How the stream's owner turns it into TLS, and says when that is done, and back: null when that
  // cannot be. Without it a dialogue that wants TLS fails.
  struct Tls {
    std::function<net::Stream&(std::shared_ptr<base::Envelope>, net::TlsShaken)> start;
    std::function<net::Stream*(std::string& received)> stop;
  };
  void allow_tls(Tls tls) { tls_ = std::move(tls); }
  void begin(base::Duration timeout, Done done);

 private:
  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error& why) override;
  void on_writable() override;
  void step(protocol::Dialogue::Result result, const std::string& send);
  void feed();
  void start_tls();
  void stop_tls();
  void work();
  void shaken(const base::Status& status);
  void finish(base::Status result);
  static void on_deadline(void* self, base::Time now);

  net::Loop& loop_;
  net::Stream* stream_;
  std::unique_ptr<protocol::Dialogue> dialogue_;
  std::string in_;
  Outlet outlet_;
  base::Timer timer_;
  Done done_;
  Tls tls_;
  std::unique_ptr<net::Work> work_;
};

// What a stream's handshake has shown, for the dialogue over it.
protocol::Secured secured(const net::Stream& stream);

}  // namespace weir::session
