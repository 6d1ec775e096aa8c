// A libuv handle in a heap node of its own, since libuv gives memory back only in the close
// callback. Whoever opened it holds it through a NodePtr; letting go closes the handle, and no
// callback reaches the holder afterwards. The loop closes what is still open when it ends; the node
// then waits for its holder. Loop thread only.
#pragma once

#include <uv.h>

#include <memory>

namespace weir::net {

class HandleNode {
 public:
  HandleNode(const HandleNode&) = delete;
  HandleNode& operator=(const HandleNode&) = delete;
  bool is_held() const { return held_; }
  void let_go() {
    held_ = false;
    if (closed_)
      delete this;
    else
      close();
  }
  void close() {
    if (!uv_is_closing(handle())) uv_close(handle(), on_closed);
  }

 protected:
  HandleNode() = default;
  virtual ~HandleNode() = default;
  virtual uv_handle_t* handle() = 0;

 private:
  static void on_closed(uv_handle_t* handle) {
    auto* node = static_cast<HandleNode*>(handle->data);
    node->closed_ = true;
    if (!node->held_) delete node;
  }
  bool held_ = true;
  bool closed_ = false;
};

struct LetGo {
  void operator()(HandleNode* node) const { node->let_go(); }
};
template <class Node>
using NodePtr = std::unique_ptr<Node, LetGo>;

}  // namespace weir::net
