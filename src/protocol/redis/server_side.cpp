#include "link.h"

namespace weir::redis {

namespace {

bool is_ok(Bytes answer) { return answer.starts_with("+OK\r\n"); }

}  // namespace

Progress ServerSide::fail(size_t used, const char* text) {
  sink_.error = {base::ErrorKind::Protocol, text, "08P01"};
  return {Next::Fail, used, 0};
}

Progress ServerSide::judge(Bytes in) {
  size_t used = 0;
  size_t want = 1;
  while (used < in.size()) {
    const Bytes rest = in.substr(used);
    if (server_.ledger.empty()) {
      if (!server_.raw) return fail(used, "the server answered more than it was asked");
      sink_.retire = true;  // what it says last is meant for the client, even when it closes
      sink_.to_client.add(rest);
      return {Next::Feed, in.size(), 1};
    }
    if (!sink_.to_client.has_room(256)) return {Next::Flush, used, 0};
    const Entry::Kind kind = server_.ledger.front().kind;
    const bool fresh = !server_.reply.open();
    if (fresh && rest[0] == '>') return fail(used, "the server pushed what nobody subscribed to");
    const ReplyStream::Pass pass = server_.reply.pass(rest);
    if (pass.end == ReplyStream::End::Bad) return fail(used, "the server's answer is malformed");
    used += pass.bytes;
    if (fresh && pass.bytes > 0) begin_answer(rest);
    if (kind != Entry::Kind::Refused) sink_.to_client.add(rest.substr(0, pass.bytes));
    if (pass.end == ReplyStream::End::Ended) {
      end_answer();
    } else {
      want = pass.want;
      break;
    }
  }
  if (server_.raw) sink_.retire = true;
  sink_.hold_may_end = server_.at_rest() && !server_.raw && !server_.broken &&
                       !server_.request_open && !client_.stream.open();
  return {Next::Feed, used, want};
}

// Its first line says what has become of MULTI and WATCH.
void ServerSide::begin_answer(Bytes in) {
  if (in[0] == '-') {
    ++sink_.errors;
    if (in.starts_with("-ERR Protocol error")) sink_.retire = server_.broken = true;
  }
  switch (server_.ledger.front().kind) {
    case Entry::Kind::Multi: server_.multi = server_.multi || is_ok(in); return;
    case Entry::Kind::Watch: server_.watch = server_.watch || is_ok(in); return;
    case Entry::Kind::Unwatch: server_.watch = server_.watch && !is_ok(in); return;
    case Entry::Kind::Discard:
      if (!is_ok(in)) return;
      [[fallthrough]];
    case Entry::Kind::Exec:  // whatever the answer: execCommandAbort() is all that an error comes
                             // from
      server_.multi = server_.watch = false;
      return;
    default: return;
  }
}

void ServerSide::end_answer() {
  if (server_.ledger.front().kind == Entry::Kind::Refused) sink_.to_client.add(kRefusal);
  server_.ledger.pop();
  ++sink_.queries;
  if (!server_.multi) ++sink_.transactions;
}

Progress share_answers(ServerState& server, Bytes in, std::vector<protocol::Share>& shares) {
  size_t used = 0;
  while (used < in.size()) {
    const Bytes rest = in.substr(used);
    if (server.ledger.empty() || (rest[0] == '>' && !server.reply.open()))
      return {Next::Fail, used, 0};
    const ReplyStream::Pass pass = server.reply.pass(rest);
    if (pass.end == ReplyStream::End::Bad) return {Next::Fail, used, 0};
    if (pass.bytes == 0) return {Next::Feed, used, pass.want};
    const uint64_t owner = server.ledger.front().owner;
    const bool ended = pass.end == ReplyStream::End::Ended;
    if (shares.empty() || shares.back().owner != owner)
      shares.push_back({owner, rest.substr(0, 0)});
    protocol::Share& share = shares.back();
    share.bytes = Bytes(share.bytes.data(), share.bytes.size() + pass.bytes);
    share.turns += ended ? 1 : 0;
    share.piece_open = !ended;
    used += pass.bytes;
    if (!ended) return {Next::Feed, used, pass.want};
    server.ledger.pop();
  }
  return {Next::Feed, used, 1};
}

}  // namespace weir::redis
