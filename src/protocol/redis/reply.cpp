#include "reply.h"

#include <algorithm>

namespace weir::redis {

namespace {

constexpr uint64_t kElementsMax = uint64_t{1} << 60;

}  // namespace

ReplyStream::Pass ReplyStream::pass(Bytes in) {
  Pass pass;
  if (in.empty()) return {0, 1, End::Open};
  const bool fresh = !open();
  if (fresh) elements_ = 1;
  for (;;) {
    if (!go_on(in, pass)) return pass;
    if (elements_ == 0 && depth_ == 0) {
      pass.end = End::Ended;
      return pass;
    }
    if (pass.bytes == in.size()) {
      pass.want = 1;
      return pass;
    }
    if (read_head(in, pass)) continue;
    if (fresh && pass.bytes == 0) elements_ = 0;
    return pass;
  }
}

// The rest of a body or of a line.
bool ReplyStream::go_on(Bytes in, Pass& pass) {
  const auto taken = static_cast<size_t>(std::min<uint64_t>(body_, in.size() - pass.bytes));
  body_ -= taken;
  pass.bytes += taken;
  while (in_line_ && pass.bytes < in.size()) {
    const char c = in[pass.bytes++];
    in_line_ = !(after_return_ && c == '\n');
    after_return_ = c == '\r';
  }
  if (body_ == 0 && !in_line_) return true;
  pass.want = 1;
  return false;
}

bool ReplyStream::read_head(Bytes in, Pass& pass) {
  const Bytes rest = in.substr(pass.bytes);
  if (in_chunks_) return read_chunk_head(rest, pass);
  if (elements_ == 0 && rest[0] != '.') elements_ = 1;  // one more of a streamed aggregate
  switch (rest[0]) {
    case '.': return read_end(rest, pass);
    case '+':
    case '-':
    case ':':
    case ',':
    case '(':
    case '#':
    case '_': return read_line(rest, pass);
    case '$':
    case '=':
    case '!':
    case '*':
    case '~':
    case '>':
    case '%':
    case '|': break;
    default: pass.end = End::Bad; return false;
  }
  int64_t number = 0;
  const size_t bytes = read_short_head(rest, number);
  if (bytes == 0 || rest[bytes - 1] != '\n') return read_long_head(rest, pass);
  if (!count(rest[0], number)) {
    pass.end = End::Bad;
    return false;
  }
  pass.bytes += bytes;
  return true;
}

bool ReplyStream::read_long_head(Bytes rest, Pass& pass) {
  const size_t line = rest.substr(0, kPeekBytes).find("\r\n");
  if (line == Bytes::npos) {
    pass.end = rest.size() >= kPeekBytes ? End::Bad : End::Open;
    pass.want = rest.size() + 1;
    return false;
  }
  const Bytes length = rest.substr(1, line - 1);
  int64_t number = 0;
  const bool good = length == "?" ? begin_streamed(rest[0])
                                  : read_number(length, number) && count(rest[0], number);
  if (!good) {
    pass.end = End::Bad;
    return false;
  }
  pass.bytes += line + 2;
  return true;
}

bool ReplyStream::begin_streamed(char type) {
  if (type == '$') return in_chunks_ = true;
  if (type == '=' || type == '!' || depth_ == kStreamedDepthMax) return false;
  outer_[depth_++] = type == '|' ? elements_ : elements_ - 1;
  elements_ = 0;
  return true;
}

// ".\r\n" behind the last element.
bool ReplyStream::read_end(Bytes rest, Pass& pass) {
  const Bytes end = rest.substr(0, 3);
  const bool good = elements_ == 0 && depth_ > 0 && Bytes(".\r\n").starts_with(end);
  if (!good) pass.end = End::Bad;
  pass.want = end.size() + 1;
  if (!good || end.size() < 3) return false;
  elements_ = outer_[--depth_];
  pass.bytes += 3;
  return true;
}

// ";5\r\nhello\r\n", and ";0\r\n" behind the last one.
bool ReplyStream::read_chunk_head(Bytes rest, Pass& pass) {
  const size_t line = rest.substr(0, kPeekBytes).find("\r\n");
  const bool bad = rest[0] != ';' || (line == Bytes::npos && rest.size() >= kPeekBytes);
  int64_t number = 0;
  if (bad ||
      (line != Bytes::npos && (!read_number(rest.substr(1, line - 1), number) || number < 0))) {
    pass.end = End::Bad;
    return false;
  }
  pass.want = rest.size() + 1;
  if (line == Bytes::npos) return false;
  pass.bytes += line + 2;
  if (number > 0) {
    body_ = static_cast<uint64_t>(number) + 2;
  } else {
    in_chunks_ = false;
    --elements_;
  }
  return true;
}

bool ReplyStream::read_line(Bytes rest, Pass& pass) {
  const size_t line = rest.find("\r\n");
  if (line == Bytes::npos && rest.size() < kPeekBytes) {
    pass.want = rest.size() + 1;
    return false;
  }
  --elements_;
  if (line != Bytes::npos) {
    pass.bytes += line + 2;
    return true;
  }
  in_line_ = true;
  after_return_ = rest.ends_with('\r');
  pass.bytes += rest.size();
  return true;
}

bool ReplyStream::count(char type, int64_t number) {
  if (number < -1 || number > static_cast<int64_t>(kElementsMax)) return false;
  const uint64_t n = number < 0 ? 0 : static_cast<uint64_t>(number);
  switch (type) {
    case '$':
    case '=':
    case '!':
      if (number >= 0) body_ = n + 2;
      --elements_;
      break;
    case '%': elements_ += 2 * n - 1; break;
    case '|': elements_ += 2 * n; break;  // stands in front of the element that it describes
    default: elements_ += n - 1; break;
  }
  return elements_ <= kElementsMax;
}

}  // namespace weir::redis
