#include "conversation.h"

namespace weir::session {

using protocol::Dialogue;
using protocol::Step;

protocol::Secured secured(const net::Stream& stream) {
  const net::TlsFacts* facts = stream.tls();
  if (!facts) return {};
  return {facts->alpn, facts->peer_name.value_or(""), facts->server_end_point};
}

Conversation::Conversation(net::Loop& loop, net::Stream& stream, std::unique_ptr<Dialogue> dialogue)
    : loop_(loop), stream_(&stream), dialogue_(std::move(dialogue)), timer_(on_deadline, this) {}

Conversation::~Conversation() {
  if (done_) stream_->set_reader(nullptr);
}

void Conversation::begin(base::Duration timeout, Done done) {
  done_ = std::move(done);
  stream_->set_reader(this);
  loop_.timers().set(timer_, loop_.now() + timeout);
  std::string send;
  const Dialogue::Result result = dialogue_->start(send);
  step(result, send);
}

void Conversation::on_bytes(base::Bytes bytes) {
  in_.append(bytes);
  feed();
}

void Conversation::feed() {
  std::string send;
  const Dialogue::Result result = dialogue_->feed(in_, send);
  step(result, send);
}

void Conversation::start_tls() {
  if (!tls_.start || !outlet_.empty() || !in_.empty())
    return finish(base::Error{base::ErrorKind::Protocol, "TLS was asked for, which is not to be"});
  stream_ =
      &tls_.start(dialogue_->envelope(), [this](const base::Status& status) { shaken(status); });
}

void Conversation::stop_tls() {
  std::string received;
  net::Stream* clear = outlet_.empty() && in_.empty() ? tls_.stop(received) : nullptr;
  if (!clear)
    return finish(base::Error{base::ErrorKind::Protocol, "TLS cannot end in the middle of things"});
  stream_ = clear;
  stream_->set_reader(this);
  in_ = std::move(received);
  if (!in_.empty()) feed();
}

void Conversation::work() {
  stream_->pause(net::kPauseUnread);
  protocol::Work work = dialogue_->work();
  const auto go_on = [this] {
    stream_->resume(net::kPauseUnread);
    feed();
  };
  work_ = loop_.work(std::move(work.run), go_on, work.may_hang);
}

void Conversation::shaken(const base::Status& status) {
  if (!status) return finish(status);
  dialogue_->secured(secured(*stream_));
  stream_->set_reader(this);
  feed();
}

void Conversation::step(Dialogue::Result result, const std::string& send) {
  in_.erase(0, result.consumed);
  if (!send.empty() && outlet_.send(*stream_, send) == Sent::Broken)
    return finish(base::Error{base::ErrorKind::Unreachable, "connection lost"});
  switch (result.step) {
    case Step::Wait: return;
    case Step::Done: return finish(base::ok());
    case Step::Fail: return finish(dialogue_->error());
    case Step::StartTls: return start_tls();
    case Step::StopTls: return stop_tls();
    case Step::Work: return work();
    default: return finish(base::Error{base::ErrorKind::Protocol, "a step that has no place here"});
  }
}

void Conversation::on_end(const base::Error& why) {
  const Dialogue::Result result = dialogue_->on_end();
  if (result.step == Step::Done) return finish(base::ok());
  base::Error error = dialogue_->error();
  const bool says_more = !error.text.empty() && error.text != protocol::kPeerClosed;
  if (!why.text.empty()) error.text = says_more ? error.text + " (" + why.text + ")" : why.text;
  finish(std::move(error));
}

void Conversation::on_writable() {
  if (outlet_.flush(*stream_) == Sent::Broken)
    finish(base::Error{base::ErrorKind::Unreachable, "connection lost"});
}

void Conversation::on_deadline(void* self, base::Time) {
  static_cast<Conversation*>(self)->finish(
      base::Error{base::ErrorKind::Timeout, "no answer in time"});
}

void Conversation::finish(base::Status result) {
  timer_.drop();
  stream_->set_reader(nullptr);
  const Done done = std::move(done_);
  done_ = nullptr;
  done(std::move(result), std::move(in_));
}

}  // namespace weir::session
