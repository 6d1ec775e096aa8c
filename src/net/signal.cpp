// Signals through libuv, which turns them into readiness of a pipe.
#include <csignal>
#include <cstdlib>
#include <utility>

#include "node.h"
#include "uv_loop.h"

namespace weir::net {

namespace {

class SignalNode final : public HandleNode {
 public:
  static NodePtr<SignalNode> open(uv_loop_t& loop, int signal_number, std::function<void()> call) {
    NodePtr<SignalNode> node(new SignalNode(std::move(call)));
    if (uv_signal_init(&loop, &node->signal_) != 0) std::abort();
    node->signal_.data = static_cast<HandleNode*>(node.get());
    uv_signal_start(&node->signal_, on_signal, signal_number);
    return node;
  }

 private:
  explicit SignalNode(std::function<void()> call) : call_(std::move(call)) {}
  uv_handle_t* handle() override { return reinterpret_cast<uv_handle_t*>(&signal_); }
  static void on_signal(uv_signal_t* signal, int) {
    auto* node = static_cast<SignalNode*>(static_cast<HandleNode*>(signal->data));
    if (node->is_held()) node->call_();
  }

  uv_signal_t signal_;
  std::function<void()> call_;
};

class UvSignalWatch final : public SignalWatch {
 public:
  explicit UvSignalWatch(NodePtr<SignalNode> node) : node_(std::move(node)) {}

 private:
  NodePtr<SignalNode> node_;
};

}  // namespace

std::unique_ptr<SignalWatch> watch_signal(Loop& loop, int signal_number,
                                          std::function<void()> call) {
  return std::make_unique<UvSignalWatch>(
      SignalNode::open(uv_loop(loop).uv(), signal_number, std::move(call)));
}

}  // namespace weir::net
