// Small writes of one turn of the loop, sent together at its end. Receiving from many sockets first
// and sending to many afterwards costs a tenth less CPU than one by one: the kernel's paths stay in
// the cache, and whoever is woken by the first send does not interrupt the rest. Large writes and
// writes to slow peers do not come here. Owned by the loop; its thread only.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "send_batch.h"

namespace weir::net {

class SocketStream;

class Cork {
 public:
  static constexpr size_t kWriteBytesMax = 4096;              // of one write
  static constexpr size_t kWritesMax = SendBatch::kSendsMax;  // more are sent before the turn ends

  // False: no room, or not worth it.
  bool hold(SocketStream& stream, std::span<const iovec> pieces);
  void flush();
  void flush(SocketStream& stream);  // what is held for it, now

 private:
  struct Held {
    SocketStream* stream;
    size_t offset;
    size_t size;
  };
  base::Bytes bytes_of(const Held& held) const { return {bytes_.get() + held.offset, held.size}; }

  std::vector<Held> held_;
  std::vector<SendBatch::Send> sends_;
  SendBatch batch_;
  std::unique_ptr<char[]> bytes_;
  size_t used_ = 0;
};

}  // namespace weir::net
