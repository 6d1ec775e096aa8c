#include "piece.h"

#include <algorithm>
#include <climits>

namespace weir::redis {

namespace {

constexpr size_t kReadBytesMax = 1024 * 1024;  // of an answer that weir reads

// A bulk string of at most so many bytes. `more`: it is not there yet; else without a text when it
// is something else.
struct Word {
  bool more = false;
  Bytes text;
};
Word read_bulk(Bytes in, int64_t bytes_max) {
  if (in.empty()) return {true, {}};
  if (in[0] != '$') return {};
  const size_t line = in.substr(0, ReplyStream::kPeekBytes).find("\r\n");
  if (line == Bytes::npos) return {in.size() < ReplyStream::kPeekBytes, {}};
  int64_t length = 0;
  if (!read_number(in.substr(1, line - 1), length) || length < 0 || length > bytes_max) return {};
  const auto size = static_cast<size_t>(length);
  if (in.size() < line + 2 + size) return {true, {}};
  return {false, in.substr(line + 2, size)};
}

// The first element of an array or push, when it is a short one.
Word first_word(Bytes in) {
  const size_t head = in.substr(0, ReplyStream::kPeekBytes).find("\r\n");
  if (head == Bytes::npos) return {in.size() < ReplyStream::kPeekBytes, {}};
  return read_bulk(in.substr(head + 2), 16);
}

bool is_message(Bytes word) {
  return word == "message" || word == "pmessage" || word == "smessage";
}

bool is_confirmation(Bytes word) {
  return word.ends_with("subscribe") && word.size() <= std::string_view("punsubscribe").size();
}

bool expects_confirmation(const ServerState& server) {
  if (server.ledger.empty()) return false;
  const Entry::Kind kind = server.ledger.front().kind;
  return kind == Entry::Kind::Subscribe || kind == Entry::Kind::UnsubscribeAll;
}

Seen confirmation(Bytes in) {
  const Measure measure = measure_answer(in);
  if (measure.bad) return {Seen::Kind::Bad};
  if (measure.bytes == 0) return {Seen::Kind::More};
  return {Seen::Kind::Confirmation, measure.bytes};
}

// The text of a bulk or verbatim string, or of a line.
Bytes text_of(Bytes answer) {
  const size_t line = answer.find("\r\n");
  if (line == Bytes::npos) return {};
  if (answer[0] == '+') return answer.substr(1, line - 1);
  if (answer[0] != '$' && answer[0] != '=') return {};
  Bytes text = answer.substr(line + 2);
  text.remove_suffix(std::min<size_t>(text.size(), 2));
  if (answer[0] == '=') text.remove_prefix(std::min<size_t>(text.size(), 4));  // "txt:"
  return text;
}

// Calls `visit` with name and value of each "name=value".
template <class Visit>
void each_field(Bytes text, Visit visit) {
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    const Bytes field = text.substr(0, end);
    const size_t equals = std::min(field.find('='), field.size());
    visit(field.substr(0, equals), field.substr(std::min(equals + 1, field.size())));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
}

std::pair<size_t, size_t> number_behind(Bytes answer, Bytes key) {
  const size_t at = answer.find(key);
  if (at == Bytes::npos) return {0, 0};
  const size_t start = at + key.size();
  const size_t end = answer.find("\r\n", start);
  return end == Bytes::npos ? std::pair<size_t, size_t>{0, 0} : std::pair{start, end};
}

}  // namespace

Measure measure_answer(Bytes in) {
  ReplyStream reply;
  size_t used = 0;
  while (used < in.size()) {
    const ReplyStream::Pass pass = reply.pass(in.substr(used));
    if (pass.end == ReplyStream::End::Bad) return {0, true};
    used += pass.bytes;
    if (pass.end == ReplyStream::End::Ended) return {used, false};
    if (pass.bytes == 0) break;
  }
  return {0, in.size() > kReadBytesMax};
}

Seen look(const ServerState& server, Bytes in) {
  const bool owed = !server.ledger.empty();
  const Seen answer{owed ? Seen::Kind::Answer : Seen::Kind::Surplus};
  const bool pushes = in[0] == '>';
  // With RESP2 what is pushed looks like an answer, but no command has such an answer while there
  // are subscriptions.
  const bool may_push =
      pushes || (in[0] == '*' && server.resp == 2 &&
                 (server.subscriptions.all() > 0 || expects_confirmation(server)));
  if (may_push) {
    const Word word = first_word(in);
    if (word.more) return {Seen::Kind::More};
    if (is_confirmation(word.text)) return confirmation(in);
    if (!pushes && !is_message(word.text)) return answer;
    return owed || server.pinned() ? Seen{Seen::Kind::Push} : Seen{Seen::Kind::Surplus};
  }
  if (server.monitor && in[0] == '+') {
    if (in.size() < 2) return {Seen::Kind::More};
    if (in[1] >= '0' && in[1] <= '9') return {Seen::Kind::Push};
  }
  return answer;
}

PushHead read_push(Bytes in) {
  const Word word = first_word(in);
  if (word.more) return {};
  const bool message = is_message(word.text);
  if (!message && !is_confirmation(word.text)) return {.kind = PushHead::Kind::Other, .name = {}};
  PushHead out{.kind = message ? PushHead::Kind::Message : PushHead::Kind::Confirmation,
               .name = {}};
  if (message && word.text != "message")
    out.topic = word.text == "pmessage" ? Hub::Kind::Pattern : Hub::Kind::Shard;
  if (!message) out.begins = read_subscription(word.text).begins;
  const auto end = static_cast<size_t>(word.text.data() + word.text.size() - in.data()) + 2;
  const Word name = read_bulk(in.substr(std::min(end, in.size())), kWholeCommandBytesMax);
  if (name.more) return {};
  out.name = name.text;
  return out;
}

int64_t note_confirmation(Bytes confirmation, Subscriptions& subscriptions) {
  const Bytes word = first_word(confirmation).text;
  const size_t number = confirmation.rfind(':');
  int64_t now = 0;
  if (number != Bytes::npos)
    read_number(confirmation.substr(number + 1, confirmation.size() - number - 3), now);
  now = std::clamp<int64_t>(now, 0, INT_MAX);
  if (word.starts_with("ss") || word.starts_with("sun"))
    return std::exchange(subscriptions.shards, now);
  if (word.starts_with('p')) {
    now -= subscriptions.channels;
    return std::exchange(subscriptions.patterns, std::max<int64_t>(now, 0));
  }
  now -= subscriptions.patterns;
  return std::exchange(subscriptions.channels, std::max<int64_t>(now, 0));
}

std::pair<size_t, size_t> find_id(Bytes answer) { return number_behind(answer, "$2\r\nid\r\n:"); }

std::pair<size_t, size_t> find_redirect(Bytes answer) {
  const auto found =
      answer[0] == ':' ? number_behind(answer, ":") : number_behind(answer, "$8\r\nredirect\r\n:");
  // 0 and -1: to nobody else.
  const Bytes digits = answer.substr(found.first, found.second - found.first);
  return digits == "0" || digits == "-1" ? std::pair<size_t, size_t>{0, 0} : found;
}

std::optional<Info> read_info(Bytes answer) {
  const Bytes text = text_of(answer);
  Info info;
  bool complete = false;
  const auto number = [](Bytes value) {
    int64_t out = 0;
    read_number(value, out);
    return std::clamp<int64_t>(out, 0, INT_MAX);
  };
  each_field(text, [&](Bytes name, Bytes value) {
    if (name == "db") info.database = number(value);
    if (name == "sub") info.subscriptions.channels = number(value);
    if (name == "psub") info.subscriptions.patterns = number(value);
    if (name == "ssub") info.subscriptions.shards = number(value);
    if (name == "name") info.name = value;
    if (name == "user") info.user = value;
    if (name == "flags") {
      info.monitor = value.find('O') != Bytes::npos;
      info.tracking = value.find('t') != Bytes::npos;
    }
    if (name == "resp") {
      info.resp = value == "3" ? 3 : 2;
      complete = true;
    }
  });
  return complete ? std::optional(info) : std::nullopt;
}

}  // namespace weir::redis
