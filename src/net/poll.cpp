#include "poll.h"

#include <cstdlib>

namespace weir::net {

// docs/memory.md counts on it: 200 bytes, most of them libuv's.
static_assert(sizeof(PollNode) <= 208);

NodePtr<PollNode> PollNode::open(uv_loop_t& loop, int fd, Callback callback, void* owner) {
  NodePtr<PollNode> node;
  auto* raw = new PollNode(callback, owner);
  if (uv_poll_init(&loop, &raw->poll_, fd) != 0) std::abort();
  raw->poll_.data = static_cast<HandleNode*>(raw);
  node.reset(raw);
  return node;
}

void PollNode::arm(int mask) {
  if (mask == mask_ || uv_is_closing(handle())) return;
  mask_ = mask;
  if (mask == 0)
    uv_poll_stop(&poll_);
  else if (uv_poll_start(&poll_, mask, on_event) != 0)
    std::abort();  // another node watches the same descriptor
}

void PollNode::on_event(uv_poll_t* poll, int status, int events) {
  auto* node = static_cast<PollNode*>(static_cast<HandleNode*>(poll->data));
  if (status < 0) {  // libuv has stopped the poll: the cause is to be had from the descriptor
    node->mask_ = 0;
    events = UV_READABLE | UV_WRITABLE;
  }
  if (node->is_held()) node->callback_(node->owner_, events);
}

}  // namespace weir::net
