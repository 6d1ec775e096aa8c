// One file descriptor watched on one loop. The descriptor stays its owner's, who closes it after
// letting go of the node. The mask changes only when arm() is called with another one: each change
// costs system calls.
#pragma once

#include "node.h"

namespace weir::net {

class PollNode final : public HandleNode {
 public:
  // `events`: UV_READABLE, UV_WRITABLE. When the descriptor is broken both come, and the node is
  // disarmed.
  using Callback = void (*)(void* owner, int events);

  // An unpollable descriptor is a bug of ours or the end of kernel memory, for which libuv itself
  // aborts.
  static NodePtr<PollNode> open(uv_loop_t& loop, int fd, Callback callback, void* owner);

  void arm(int mask);
  int mask() const { return mask_; }
  void give_to(Callback callback, void* owner) {
    callback_ = callback;
    owner_ = owner;
  }

 private:
  PollNode(Callback callback, void* owner) : owner_(owner), callback_(callback) {}
  uv_handle_t* handle() override { return reinterpret_cast<uv_handle_t*>(&poll_); }
  static void on_event(uv_poll_t* poll, int status, int events);

  uv_poll_t poll_;
  void* owner_;
  Callback callback_;
  int mask_ = 0;
};

}  // namespace weir::net
