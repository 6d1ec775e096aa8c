#include "reply_reader.h"

namespace weir::tds {

Result<ReplyReader::Walked> ReplyReader::walk(Bytes in, const OnEvent& on_event) {
  Walked walked;
  while (!walked.ended && walked.bytes < in.size()) {
    auto run = next_run(in.substr(walked.bytes));
    if (!run) return run.error();
    if (run->bytes == 0) break;
    walked.bytes += run->bytes;
    if (!take(run->payload, on_event))
      return Error{ErrorKind::Protocol, "the server's answer is not understood"};
    if (!run->ends_message) continue;
    walked.ended = true;
    walked.rows = server_.walker.rows();
    walked.end = server_.walker.end_message();
  }
  return walked;
}

Result<PacketStream::Run> ReplyReader::next_run(Bytes in) {
  const PacketStream::Run run = server_.packets.next(in);
  if (!run.fault.empty())
    return Error{ErrorKind::Protocol, "the server sent " + std::string(run.fault)};
  if (run.bytes > 0 && server_.packets.head().type != PacketType::Reply)
    return Error{ErrorKind::Protocol, "the server sent something else than a reply"};
  if (run.bytes > left_) return Error{ErrorKind::TooLarge, "the server's answer is too long"};
  left_ -= run.bytes;
  return run;
}

bool ReplyReader::take(Bytes payload, const OnEvent& on_event) {
  for (TokenEvent event; server_.walker.next(payload, event);) {
    if (event.kind == TokenEvent::Kind::EnvChange) note(event.change);
    on_event(event);
  }
  return !server_.walker.is_lost();
}

// In the order in which they stand: a commit may begin the next transaction at once.
void ReplyReader::note(const EnvChange& change) {
  switch (change.kind) {
    case EnvKind::BeginTransaction:
    case EnvKind::EnlistDtc: server_.transaction = descriptor_in(change.new_value); break;
    case EnvKind::CommitTransaction:
    case EnvKind::RollbackTransaction:
    case EnvKind::DefectTransaction:
    case EnvKind::TransactionEnded: server_.transaction = 0; break;
    case EnvKind::ResetDone:
      if (server_.turn != ServerState::Turn::Client || !server_.outcome.keeps_transaction)
        server_.transaction = 0;
      server_.answer.was_reset = true;
      break;
    default: break;
  }
}

}  // namespace weir::tds
