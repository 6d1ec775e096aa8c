// A client, servers and the link between them, driven the way src/session drives it: views are
// copied out before the link is called again, what it asks to see again is kept, a server is held
// from NeedServer until the hold may end. Shared by the unit tests and the fuzz targets.
#pragma once

#include <cstdlib>
#include <deque>
#include <memory>
#include <string>

#include "protocol/postgres/link.h"
#include "protocol/postgres/talks.h"
#include "protocol/postgres/text.h"
#include "protocol/postgres/wire.h"

namespace weir::postgres::script {

using protocol::Condition;
using protocol::Step;

// What came out since the last take().
struct Output {
  std::string to_server;
  std::string to_client;
  // "end": the hold is over · "fail": the pair is closed · "leave" · "attach"
  std::string events;
};

class LinkTalk {
 public:
  LinkTalk() : protocol_(make_protocol(texts_)), link_(protocol_->link()) {
    add_server();
    client.session_id = 7;
    client.options.statement_bytes_max = 4 << 20;
  }

  ClientState client;

  ServerState& add_server() {
    servers_.emplace_back();
    ServerState& server = servers_.back();
    server.process_id = static_cast<int32_t>(servers_.size());
    server.base = {{"TimeZone", "UTC"}, {"application_name", ""}, {"client_encoding", "UTF8"}};
    server.reported = server.base;
    return server;
  }
  ServerState& server(size_t number) { return servers_.at(number); }
  size_t servers() const { return servers_.size(); }
  // The next hold gets this one.
  void use(size_t number) { next_ = number; }
  // Holds it now, without a request.
  void hold() { held_ = &servers_.at(next_); }
  ServerState* held() { return held_; }
  bool over() const { return over_; }
  size_t kept_bytes() const { return client_in_.size() + server_in_.size(); }
  InternTable& texts() { return texts_; }
  const protocol::Link& link() const { return link_; }
  bool ends_holds = true;  // false: session mode
  bool serves = true;      // false: NeedServer waits for answer_error()

  void client_sends(Bytes bytes) {
    client_in_.append(bytes);
    if (!over_ && !talk_ && !waiting_ && client_in_.size() >= client_want_) go_on();
  }

  void server_sends(Bytes bytes) {
    if (over_ || !held_) {
      if (!over_ && !bytes.empty()) output_.events += " stray";
      return;
    }
    server_in_.append(bytes);
    if (talk_) return feed_talk();
    if (server_in_.size() < server_want_) return;
    while (held_ && !over_ && judge_server()) {
    }
  }

  // weir cannot get a server for the client that waits.
  void answer_error(const base::Error& error) {
    waiting_ = false;
    base::Gather client_side, server_side;
    Sink sink{client_side, server_side};
    const size_t answered = link_.answer_error(client, error, client_in_, sink);
    copy(client_side, output_.to_client);
    client_in_.erase(0, answered);
    go_on();
  }

  Output take() { return std::exchange(output_, {}); }

 private:
  static void copy(base::Gather& from, std::string& to) {
    for (const iovec& piece : from.pieces())
      to.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    from.clear();
  }
  static void check(bool holds) {
    if (!holds) std::abort();
  }

  void go_on() {
    while (!client_in_.empty() && !over_ && judge_client()) {
    }
  }

  // On a copy of its own for each call, so that a view that is kept too long is seen by
  // AddressSanitizer.
  bool judge_client() {
    const auto in = std::make_unique<std::string>(client_in_);
    base::Gather client_side, server_side;
    Sink sink{client_side, server_side};
    const Progress progress = link_.on_client(client, held_, *in, sink);
    check(progress.consumed <= in->size());
    check(held_ || server_side.empty());
    copy(client_side, output_.to_client);
    copy(server_side, output_.to_server);
    client_in_.erase(0, progress.consumed);
    client_want_ = 0;
    switch (progress.next) {
      case Next::Flush: return true;
      case Next::Feed:
        client_want_ = client_in_.empty() ? 0 : progress.want;
        check(client_in_.empty() || progress.want > client_in_.size());
        if (sink.hold_may_end) end_hold();
        return false;
      case Next::NeedServer:
        check(!held_);
        if (!serves) return waiting_ = true, false;
        held_ = &servers_.at(next_);
        return attach();
      case Next::Reattach: check(held_ != nullptr); return attach();
      case Next::Leave: return end("leave");
      case Next::Later: return later_ = true, false;
      case Next::NeedLane:
      case Next::Login:
      case Next::Roll: check(false); break;
      case Next::Fail: return end("fail");
    }
    return false;
  }

  bool judge_server() {
    const auto in = std::make_unique<std::string>(server_in_);
    base::Gather client_side, server_side;
    Sink sink{client_side, server_side};
    const Progress progress = link_.on_server(client, *held_, *in, sink);
    check(progress.consumed <= in->size());
    check(server_side.empty() ||
          *static_cast<const char*>(server_side.pieces()[0].iov_base) == 'Q');
    copy(client_side, output_.to_client);
    copy(server_side, output_.to_server);
    server_in_.erase(0, progress.consumed);
    server_want_ = 0;
    if (progress.next == Next::Flush) return !server_in_.empty();
    if (progress.next == Next::Fail) return end("fail");
    check(progress.next == Next::Feed);
    server_want_ = server_in_.empty() ? 0 : progress.want;
    check(server_in_.empty() || progress.want > server_in_.size());
    if (sink.hold_may_end) end_hold();
    if (std::exchange(later_, false)) go_on();
    return false;
  }

  bool end(const char* event) {
    over_ = true;
    output_.events += std::string(" ") + event;
    return false;
  }

  void end_hold() {
    if (!ends_holds || !held_ || !server_in_.empty()) return;
    check(held_->ledger.empty() && held_->status == 'I' && !held_->client_body_open);
    check(!held_->remains.pin() && !held_->remains.is_asking());
    check(held_->copy == Copy::None && held_->body_left == 0 && !held_->unsynced);
    held_ = nullptr;
    output_.events += " end";
  }

  bool attach() {
    talk_ = link_.attach(client, *held_);
    if (!talk_) return true;
    output_.events += " attach";
    check(talk_->start(output_.to_server).step == Step::Wait);
    return false;
  }

  void feed_talk() {
    const auto result = talk_->feed(server_in_, output_.to_server);
    server_in_.erase(0, result.consumed);
    if (result.step == Step::Wait) return;
    talk_.reset();
    if (result.step == Step::Fail) return void(end("refused"));
    go_on();
  }

  InternTable texts_;
  std::unique_ptr<protocol::Protocol> protocol_;
  const protocol::Link& link_;
  std::deque<ServerState> servers_;
  ServerState* held_ = nullptr;
  size_t next_ = 0;
  std::unique_ptr<protocol::Dialogue> talk_;
  std::string client_in_, server_in_;
  size_t client_want_ = 0, server_want_ = 0;
  bool waiting_ = false;
  bool over_ = false;
  bool later_ = false;  // the client's bytes wait for an answer
  Output output_;
};

}  // namespace weir::postgres::script
