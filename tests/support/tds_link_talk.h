// A client, servers and the link between them, driven the way src/session drives it: views are
// copied out before the link is called again, what it asks to see again is kept, a server is held
// from NeedServer until the hold may end. Shared by the unit tests and the fuzz targets.
#pragma once

#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include <weir/protocol/tds.h>

#include "protocol/tds/link.h"

namespace weir::tds::script {

using protocol::Condition;

class LinkTalk {
 public:
  LinkTalk() : protocol_(make_protocol(texts_)), link_(protocol_->link()) {
    add_server();
    client.options.statement_bytes_max = 1 << 20;
  }

  ClientState client;
  std::string to_server, to_client;
  // need · lease · attach · later · end · fail: why · refused: why · stray
  std::string events;
  int queries = 0, transactions = 0, errors = 0, turns = 0;

  bool ends_holds = true;  // false: session mode
  bool serves = true;      // false: NeedServer waits for serve() or answer_error()

  ServerState& add_server() {
    servers_.emplace_back();
    servers_.back().facts.database = "shop";
    return servers_.back();
  }
  ServerState& server(size_t number = 0) { return servers_.at(number); }
  void use(size_t number) { next_ = number; }  // the next hold gets this one
  void hold() { held_ = &servers_.at(next_); }
  ServerState* held() { return held_; }
  bool over() const { return over_; }
  bool waits() const { return waiting_; }
  size_t kept_bytes() const { return client_in_.size() + server_in_.size(); }
  InternTable& texts() { return texts_; }
  const protocol::Link& link() const { return link_; }

  void client_sends(Bytes bytes) {
    client_in_.append(bytes);
    if (over_ || talk_) return;
    if (waiting_ || client_in_.size() >= client_want_) go_on();
  }

  void server_sends(Bytes bytes) {
    if (over_ || !held_) {
      if (!over_ && !bytes.empty() && !events.ends_with(" stray")) events += " stray";
      return;
    }
    server_in_.append(bytes);
    if (talk_) return feed_talk();
    if (server_in_.size() < server_want_) return;
    while (held_ && !over_ && judge_server()) {
    }
  }

  void interrupt() {
    if (held_) check(!link_.cancel(*held_, to_server));
  }
  void serve() {
    if (!std::exchange(waiting_, false)) return;
    serves = true;
    go_on();
  }
  // weir cannot get a server for the client that waits.
  void answer_error(const base::Error& error) {
    waiting_ = false;
    base::Gather client_side, server_side;
    Sink sink{client_side, server_side};
    const size_t answered = link_.answer_error(client, error, client_in_, sink);
    check(answered > 0 && answered <= client_in_.size());
    copy(client_side, to_client);
    client_in_.erase(0, answered);
    go_on();
  }

  static void check(bool holds) {
    if (!holds) std::abort();
  }

 private:
  static void copy(base::Gather& from, std::string& to) {
    for (const iovec& piece : from.pieces())
      to.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    from.clear();
  }

  void go_on() {
    client_want_ = 0;
    while (!client_in_.empty() && !over_ && judge_client()) {
    }
  }

  // On a copy of its own for each call, so that a view that is kept too long is seen by
  // AddressSanitizer.
  bool judge_client() {
    const auto in = std::make_unique<std::string>(client_in_);
    base::Gather client_side, server_side;
    Sink sink{client_side, server_side};
    const bool owed = held_ && link_.owes(*held_);
    const Progress progress = link_.on_client(client, held_, *in, sink);
    check(progress.consumed <= in->size());
    check(held_ || server_side.empty());
    copy(client_side, to_client);
    copy(server_side, to_server);
    if (waiting_ && (progress.next != Next::NeedServer || progress.consumed > 0)) {
      waiting_ = false;
      events += " back";
    }
    client_in_.erase(0, progress.consumed);
    client_want_ = 0;
    if (sink.turn_began && !owed) ++turns;
    count(sink);
    switch (progress.next) {
      case Next::Flush: check(progress.consumed > 0); return !client_in_.empty();
      case Next::Feed:
        client_want_ = progress.want;
        check(client_in_.empty() || progress.want > client_in_.size());
        if (sink.hold_may_end) end_hold();
        return false;
      case Next::NeedServer:
        check(!held_);
        if (!serves) return waiting_ = true, false;
        held_ = &servers_.at(next_);
        events += " lease";
        return attach();
      case Next::Reattach: check(held_ != nullptr); return attach();
      case Next::Later: check(held_ && link_.owes(*held_)); return false;
      case Next::Fail: return end(" fail: " + sink.error.text);
      default: check(false);
    }
    return false;
  }

  bool judge_server() {
    const auto in = std::make_unique<std::string>(server_in_);
    base::Gather client_side, server_side;
    Sink sink{client_side, server_side};
    const Progress progress = link_.on_server(client, *held_, *in, sink);
    check(progress.consumed <= in->size());
    copy(client_side, to_client);
    copy(server_side, to_server);
    server_in_.erase(0, progress.consumed);
    server_want_ = 0;
    count(sink);
    if (progress.next == Next::Flush) return !server_in_.empty();
    if (progress.next == Next::Fail) return end(" fail: " + sink.error.text);
    check(progress.next == Next::Feed);
    server_want_ = server_in_.empty() ? 0 : progress.want;
    check(server_in_.empty() || progress.want > server_in_.size());
    if (sink.hold_may_end)
      end_hold();
    else if (!client_in_.empty() && client_want_ == 0)
      go_on();
    return false;
  }

  void count(const Sink& sink) {
    queries += static_cast<int>(sink.queries);
    transactions += static_cast<int>(sink.transactions);
    errors += static_cast<int>(sink.errors);
  }

  bool end(const std::string& event) {
    over_ = true;
    events += event;
    return false;
  }

  void end_hold() {
    check(held_ && held_->at_rest() && !held_->pin && !held_->answer.open);
    check(held_->answer.held.bytes.empty() && held_->acknowledged == 0 &&
          held_->own_attentions == 0);
    check(link_.condition(*held_) != Condition::Open && !link_.owes(*held_));
    if (!ends_holds || !server_in_.empty()) return;
    held_ = nullptr;
    events += " end";
    if (!client_in_.empty() && client_want_ == 0) go_on();
  }

  bool attach() {
    talk_ = link_.attach(client, *held_);
    if (!talk_) return true;
    events += " attach";
    check(talk_->start(to_server).step == protocol::Step::Wait);
    return false;
  }

  void feed_talk() {
    const auto result = talk_->feed(server_in_, to_server);
    server_in_.erase(0, result.consumed);
    if (result.step == protocol::Step::Wait) return;
    const base::Error why = talk_->error();
    talk_.reset();
    if (result.step == protocol::Step::Fail) return void(end(" refused: " + why.text));
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
};

}  // namespace weir::tds::script
