#include "batch_talk.h"

#include "request.h"
#include "utf16.h"

namespace weir::tds {

using protocol::Step;

BatchTalk::Result BatchTalk::start(std::string& send) {
  say(send);
  return {Step::Wait, 0};
}

void BatchTalk::say(std::string& send) {
  const OwnBatch& batch = batches_[done_];
  std::string body;
  if (is_since_72(server_.walker.version())) append_all_headers(body, server_.transaction);
  body += utf16_of(batch.text);
  const uint8_t status = batch.resets ? kResetConnection : uint8_t{0};
  append_message(send, {PacketType::Batch, status, kPacketBytes, 0}, body);
  server_.answer = {};
}

BatchTalk::Result BatchTalk::feed(Bytes in, std::string& send) {
  const auto walked = reader_.walk(in, [this](const TokenEvent& event) { on_event(event); });
  if (!walked) return fail(walked.error());
  const ReplyReader::Walked& reply = walked.value();
  if (!reply.ended) return {Step::Wait, reply.bytes};
  if (auto error = judge(reply)) return fail(std::move(*error), reply.bytes);
  server_.answer = {};
  if (batches_[done_].then) batches_[done_].then();
  if (++done_ == batches_.size()) return {Step::Done, reply.bytes};
  if (reply.bytes < in.size())
    return fail({ErrorKind::Protocol, "the server said more than its answer"}, reply.bytes);
  say(send);
  return {Step::Wait, reply.bytes};
}

void BatchTalk::on_event(const TokenEvent& event) {
  if (event.kind == TokenEvent::Kind::Done) {
    has_error_ = has_error_ || (event.done.status & (kDoneError | kDoneServerError)) != 0;
    is_stray_ = is_stray_ || (event.done.status & kDoneAttention) != 0;
  }
  if (event.kind != TokenEvent::Kind::Error) return;
  has_error_ = true;
  if (!refusal_.empty()) return;
  const auto message = read_message(event.body, server_.walker.version());
  if (message) refusal_ = message->text;
}

std::optional<Error> BatchTalk::judge(const ReplyReader::Walked& reply) const {
  if (reply.end != TokenWalker::End::Final)
    return Error{ErrorKind::Protocol, "the server's answer has no end"};
  if (is_stray_)
    return Error{ErrorKind::Protocol, "the server acknowledged an attention that nobody sent"};
  if (has_error_)
    return Error{ErrorKind::Refused,
                 refusal_.empty() ? "the server answered with an error" : refusal_};
  const OwnBatch& batch = batches_[done_];
  if (batch.resets && !server_.answer.was_reset)
    return Error{ErrorKind::Protocol, "the server did not acknowledge the reset"};
  if (reply.rows < batch.rows_min)
    return Error{ErrorKind::Protocol, "the server answered without a row"};
  return std::nullopt;
}

// What it said before was its last word, not a refusal of what it was asked.
BatchTalk::Result BatchTalk::on_end() {
  if (!refusal_.empty()) error_ = {ErrorKind::Unreachable, refusal_};
  return Dialogue::on_end();
}

}  // namespace weir::tds
