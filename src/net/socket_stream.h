// TCP and unix sockets as a Stream: uv_poll_t says when, recv and sendmsg are ours.
//
// The poll mask is lazy. READABLE stays armed while the stream is paused and is taken away only
// when bytes arrive that nobody wants; WRITABLE is armed by want_writable() until it fires.
#pragma once

#include <memory>
#include <string>

#include <weir/net/stream.h>

#include "poll.h"
#include "uv_loop.h"

namespace weir::net {

class SocketStream final : public Stream {
 public:
  // Owns fd from here on. With a node: one that already watches it on this loop.
  SocketStream(UvLoop& loop, int fd, std::string peer, NodePtr<PollNode> node = nullptr);
  ~SocketStream() override;

  // For the cork.
  bool is_corked() const { return corked_; }
  void set_corked() { corked_ = true; }
  void on_sent(base::Bytes held, int64_t sent);  // sent: bytes, or -errno
  int fd() const { return fd_; }

  void set_reader(StreamReader* reader) override;
  int64_t try_write(std::span<const iovec> pieces) override;
  void want_writable() override;
  void pause(Pause why) override { paused_ |= static_cast<uint8_t>(why); }
  void resume(Pause why) override { resume_bits(why); }
  void shut_write() override;
  bool is_alive() override;
  bool is_near() const override;
  void leave() override;
  void join(Loop& loop) override;
  std::string peer() const override { return peer_; }
  void set_peer(std::string peer) override { peer_ = std::move(peer); }
  std::optional<uint32_t> peer_account() const override;

 private:
  static constexpr uint8_t kPauseNoReader = 0x40;
  static constexpr uint8_t kPauseEnded = 0x80;  // on_end has been told; for ever

  static void on_ready(void* owner, int events);
  void handle_ready(int events);
  void read_some(const PollNode& node);
  void end(int error_number);
  void resume_bits(uint8_t bits);
  void apply_mask();
  int64_t send_now(std::span<const iovec> pieces);
  int64_t settle(int64_t sent);
  void send_rest();

  UvLoop* loop_;  // null between leave() and join()
  NodePtr<PollNode> node_;
  StreamReader* reader_ = nullptr;
  std::string peer_;
  std::string rest_;  // of what the cork held, that the socket did not take: goes before all else
  int fd_;
  int write_error_ = 0;
  uint8_t paused_ = kPauseNoReader;
  bool write_shut_ = false;
  bool corked_ = false;  // the loop's cork holds something
  bool read_armed_ = false;
  bool wants_writable_ = false;
};

}  // namespace weir::net
