#include "request.h"

#include <algorithm>
#include <climits>

#include "line.h"

namespace weir::redis {

namespace {

constexpr size_t kArgumentBytesMin = 6;  // "$0\r\n\r\n"

enum class Found : uint8_t { Yes, NotYet, TooFar };

// Where `end` stands. A server looks for it with strchr(), so that a NUL hides all that follows it.
Found find(Bytes in, char end, size_t& place) {
  const Bytes window = in.substr(0, kLineBytesMax + 1);
  place = window.find(end);
  if (place != Bytes::npos && window.substr(0, place).find('\0') == Bytes::npos) return Found::Yes;
  return in.size() > kLineBytesMax ? Found::TooFar : Found::NotYet;
}

// The line feed behind the carriage return is not looked at, but it has to be there.
Found find_head(Bytes in, size_t& place) {
  const Found found = find(in, '\r', place);
  return found == Found::Yes && in.size() < place + 2 ? Found::NotYet : found;
}

Request bad(std::string error) {
  Request request;
  request.kind = Request::Kind::Bad;
  request.error = "Protocol error: " + std::move(error);
  return request;
}

Request incomplete(size_t want) {
  Request request;
  request.want = want;
  return request;
}

Request cut_line(Bytes in) {
  size_t place = 0;
  switch (find(in, '\n', place)) {
    case Found::TooFar: return bad("too big inline request");
    case Found::NotYet: return incomplete(in.size() + 1);
    case Found::Yes: break;
  }
  Bytes line = in.substr(0, place);
  if (line.ends_with('\r')) line.remove_suffix(1);
  Request request;
  if (!split_line(line, request.unquoted)) return bad("unbalanced quotes in request");
  request.kind = request.unquoted.empty() ? Request::Kind::Nothing : Request::Kind::Whole;
  request.bytes = place + 1;
  request.count = static_cast<int64_t>(request.unquoted.size());
  request.known = std::min(request.unquoted.size(), Request::kArguments);
  std::copy_n(request.unquoted.begin(), request.known, request.arguments.begin());
  return request;
}

// Cuts the arguments of an array, whose head has been read.
class ArrayCutter {
 public:
  ArrayCutter(Bytes in, const RequestLimits& limits, Request& request)
      : in_(in), limits_(limits), request_(request), at_(request.head_bytes) {}

  void cut() {
    for (int64_t i = 0; i < request_.count; ++i)
      if (!argument(request_.count - i - 1)) return;
    request_.kind = Request::Kind::Whole;
    request_.bytes = at_;
    if (further_ > 0) request_.further = in_.substr(further_, at_ - further_);
  }

 private:
  bool argument(int64_t follow) {
    // Once the command has its name, it may turn out that the rest cannot fit. So what counts as
    // large does not hang on how much of it has come.
    if (request_.known > 0 &&
        (static_cast<uint64_t>(follow) + 1) * kArgumentBytesMin + at_ > limits_.bytes_max)
      return large();
    const BulkHead head = read_bulk_head(in_.substr(at_));
    if (head.state == BulkHead::State::Incomplete) return wait(in_.size() + 1);
    if (head.state == BulkHead::State::Bad) return fail(head.error);
    if (head.length > limits_.bulk_bytes_max) return fail("unauthenticated bulk length");
    const size_t start = at_ + head.bytes;
    const auto length = static_cast<uint64_t>(head.length);
    if (length + start + 2 > limits_.bytes_max) return large();
    const size_t end = start + static_cast<size_t>(length) + 2;
    if (end > in_.size()) return wait(end);
    if (request_.known < Request::kArguments)
      request_.arguments[request_.known++] = in_.substr(start, static_cast<size_t>(length));
    else if (further_ == 0)
      further_ = at_;
    at_ = end;
    return true;
  }

  bool wait(size_t want) {
    request_.want = want;
    return false;
  }

  bool large() {
    request_.kind = Request::Kind::Large;
    return false;
  }

  bool fail(const std::string& why) {
    request_ = bad(why);
    return false;
  }

  Bytes in_;
  const RequestLimits& limits_;
  Request& request_;
  size_t at_;
  size_t further_ = 0;
};

Request cut_array(Bytes in, const RequestLimits& limits) {
  Request request;
  request.head_bytes = read_short_head(in, request.count);
  if (request.head_bytes == 0) {
    size_t place = 0;
    switch (find_head(in, place)) {
      case Found::TooFar: return bad("too big mbulk count string");
      case Found::NotYet: return incomplete(in.size() + 1);
      case Found::Yes: break;
    }
    if (!read_number(in.substr(1, place - 1), request.count) || request.count > INT_MAX)
      return bad("invalid multibulk length");
    request.head_bytes = place + 2;
  }
  if (request.count > limits.arguments_max) return bad("unauthenticated multibulk length");
  if (request.count <= 0) {
    request.kind = Request::Kind::Nothing;
    request.bytes = request.head_bytes;
  } else {
    ArrayCutter(in, limits, request).cut();
  }
  return request;
}

}  // namespace

BulkHead read_bulk_head(Bytes in) {
  int64_t length = 0;
  if (const size_t bytes = read_short_head(in, length); bytes > 0 && in[0] == '$')
    return {BulkHead::State::Ok, bytes, length, {}};
  size_t place = 0;
  const Found found = find_head(in, place);
  if (found == Found::NotYet) return {};
  const auto refused = [](std::string why) {
    return BulkHead{BulkHead::State::Bad, 0, 0, std::move(why)};
  };
  if (found == Found::TooFar) return refused("too big bulk count string");
  if (in[0] != '$') {
    const char got = in[0] == '\r' || in[0] == '\n' ? ' ' : in[0];
    return refused(std::string("expected '$', got '") + got + "'");
  }
  if (!read_number(in.substr(1, place - 1), length) || length < 0 || length > INT64_MAX - 2)
    return refused("invalid bulk length");
  return {BulkHead::State::Ok, place + 2, length, {}};
}

Request cut_request(Bytes in, const RequestLimits& limits) {
  if (in.empty()) return incomplete(1);
  return in[0] == '*' ? cut_array(in, limits) : cut_line(in);
}

RequestStream::Pass RequestStream::pass(Bytes in) {
  size_t used = 0;
  for (;;) {
    const auto taken = static_cast<size_t>(std::min<uint64_t>(bulk_left_, in.size() - used));
    bulk_left_ -= taken;
    used += taken;
    if (bulk_left_ > 0) return {used, 1};
    if (arguments_left_ == 0) return {used, 0};
    const BulkHead head = read_bulk_head(in.substr(used));
    if (head.state == BulkHead::State::Incomplete) return {used, in.size() - used + 1};
    if (head.state == BulkHead::State::Bad) return {used, 0, "Protocol error: " + head.error};
    used += head.bytes;
    bulk_left_ = static_cast<uint64_t>(head.length) + 2;
    --arguments_left_;
  }
}

}  // namespace weir::redis
