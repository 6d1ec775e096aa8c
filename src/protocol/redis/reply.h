// Follows the answers of a server through their heads, in whatever pieces they come: RESP2 and
// RESP3 ("RESP3 specification", with streamed strings and aggregates). A value that travels with
// the server.
#pragma once

#include <array>
#include <cstdint>

#include "text.h"

namespace weir::redis {

class ReplyStream {
 public:
  enum class End : uint8_t {
    Open,  // the answer goes on; `want` of what follows
    Ended,
    Bad,  // no answer looks like this
  };
  struct Pass {
    size_t bytes = 0;  // that belong to the answer
    size_t want = 0;
    End end = End::Open;
  };

  // Between two answers `in` has to begin with an answer. Its first line is there when it is a
  // short one, else kPeekBytes of it, as soon as any byte of it is passed.
  static constexpr size_t kPeekBytes = 32;
  Pass pass(Bytes in);
  bool open() const { return elements_ > 0 || body_ > 0 || in_line_ || depth_ > 0; }

 private:
  bool go_on(Bytes in, Pass& pass);      // false: all of `in` is used up
  bool read_head(Bytes in, Pass& pass);  // false: `pass` says why not
  bool read_long_head(Bytes rest, Pass& pass);
  bool read_line(Bytes in, Pass& pass);
  bool read_end(Bytes rest, Pass& pass);
  bool read_chunk_head(Bytes rest, Pass& pass);
  bool begin_streamed(char type);
  bool count(char type, int64_t number);

  static constexpr size_t kStreamedDepthMax = 8;
  uint64_t elements_ = 0;  // still to come, nested ones included
  // Within aggregates that say at their end where it is: what follows each of them.
  std::array<uint64_t, kStreamedDepthMax> outer_{};
  uint8_t depth_ = 0;
  bool in_chunks_ = false;  // of a string that does the same
  uint64_t body_ = 0;       // bytes of a bulk string and its end
  bool in_line_ = false;    // a long line is half passed
  bool after_return_ = false;
};

}  // namespace weir::redis
