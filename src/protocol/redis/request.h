// Requests as a server reads them (readQueryFromClient() and what it calls in Redis' networking.c):
// arrays of bulk strings, and lines ("inline commands").
//
//   *2\r\n $3\r\nGET\r\n $1\r\nk\r\n        GET k\r\n        GET "k\n"\n
//
// A command up to some size is cut whole from the front of what has come; a larger one is only
// followed through its heads. Values and pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "text.h"

namespace weir::redis {

constexpr size_t kLineBytesMax = 64 * 1024;          // PROTO_INLINE_MAX_SIZE: of a line or a head
constexpr size_t kWholeCommandBytesMax = 64 * 1024;  // a larger command has its body streamed

struct RequestLimits {
  size_t bytes_max = kWholeCommandBytesMax;
  // Before authentication.
  int64_t arguments_max = INT32_MAX;
  int64_t bulk_bytes_max = INT64_MAX - 2;
};

struct Request {
  enum class Kind : uint8_t {
    Incomplete,  // more bytes are needed, `want` at least
    Nothing,     // an empty line or array: skipped without an answer
    Whole,       // `bytes` long
    Large,       // above bytes_max; `head_bytes` hold its number of arguments
    Bad,         // `error` says why, in the server's words
  };
  static constexpr size_t kArguments = 8;
  Request() = default;
  Request(Request&&) = default;  // a copy's views would look into the original
  Request& operator=(Request&&) = default;

  // The first arguments, and those that there are. Views into the bytes or into `unquoted`.
  Bytes argument(size_t i) const { return i < known ? arguments[i] : Bytes(); }

  Kind kind = Kind::Incomplete;
  size_t bytes = 0;
  size_t head_bytes = 0;
  size_t want = 0;
  int64_t count = 0;  // of all arguments
  size_t known = 0;
  std::array<Bytes, kArguments> arguments;
  Bytes further;                      // the arguments behind these, as bulk strings
  std::vector<std::string> unquoted;  // all arguments of a line
  std::string error;
};

Request cut_request(Bytes in, const RequestLimits& limits = {});

// Calls `visit` with each argument until it says true; says whether it did. For a whole request.
template <class Visit>
bool any_argument(const Request& request, Visit visit);

// The rest of a large command, in whatever pieces it comes.
class RequestStream {
 public:
  bool open() const { return arguments_left_ > 0 || bulk_left_ > 0; }
  void begin(int64_t arguments) { arguments_left_ = static_cast<uint64_t>(arguments); }
  void stop() { arguments_left_ = bulk_left_ = 0; }
  struct Pass {
    size_t bytes = 0;  // that belong to the command
    size_t want = 0;   // of what follows these, when the command is still open
    std::string error = {};
  };
  Pass pass(Bytes in);

  bool dropped = false;  // it goes nowhere

 private:
  uint64_t arguments_left_ = 0;
  uint64_t bulk_left_ = 0;
};

// ---------------------------------------------------------------- inside

struct BulkHead {
  enum class State : uint8_t { Incomplete, Ok, Bad };
  State state = State::Incomplete;
  size_t bytes = 0;
  int64_t length = 0;
  std::string error = {};
};
BulkHead read_bulk_head(Bytes in);

template <class Visit>
bool any_argument(const Request& request, Visit visit) {
  if (!request.unquoted.empty()) {
    for (const std::string& argument : request.unquoted)
      if (visit(Bytes(argument))) return true;
    return false;
  }
  for (size_t i = 0; i < request.known; ++i)
    if (visit(request.arguments[i])) return true;
  for (Bytes rest = request.further; !rest.empty();) {
    const BulkHead head = read_bulk_head(rest);
    if (head.state != BulkHead::State::Ok) return false;
    if (visit(rest.substr(head.bytes, static_cast<size_t>(head.length)))) return true;
    rest.remove_prefix(head.bytes + static_cast<size_t>(head.length) + 2);
  }
  return false;
}

}  // namespace weir::redis
