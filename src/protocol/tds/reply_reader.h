// Reads what a server answers to weir itself, with what its state remembers of packets and tokens,
// so that it may begin in the middle of a reply. Transactions and resets that the answer tells of
// are noted in the state. Owned by a dialogue; the state outlives it.
#pragma once

#include <functional>

#include "state.h"

namespace weir::tds {

class ReplyReader {
 public:
  // `bytes_max`: of all that it reads.
  ReplyReader(ServerState& server, size_t bytes_max) : server_(server), left_(bytes_max) {}

  struct Walked {
    size_t bytes = 0;  // of the input: what follows them is to be given again
    bool ended = false;
    TokenWalker::End end{};  // with `ended`
    uint64_t rows = 0;       // of the message, with `ended`
  };
  // Up to the end of one message. Protocol: not a reply, or with a token that is not known;
  // TooLarge.
  using OnEvent = std::function<void(const TokenEvent&)>;
  Result<Walked> walk(Bytes in, const OnEvent& on_event);

 private:
  Result<PacketStream::Run> next_run(Bytes in);
  bool take(Bytes payload, const OnEvent& on_event);
  void note(const EnvChange& change);

  ServerState& server_;
  size_t left_;
};

}  // namespace weir::tds
