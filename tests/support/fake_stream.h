// Two streams joined in memory, on one FakeLoop or on two, with faults to order: writes that take
// part of the bytes or none, deliveries in small chunks, stalls, resets. Everything arrives in
// FakeLoop::step(), nothing before. The test usually keeps one end as the peer and gives the other
// to what it tests; either end sets the faults of both ways.
#pragma once

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fake_loop.h"

namespace weir::fake {

// How one way behaves. The functions go first if they are set: offered bytes -> bytes to take or to
// deliver.
struct FakeWay {
  size_t window_bytes = 64 * 1024;      // as many bytes may be under way
  size_t write_bytes_max = SIZE_MAX;    // one try_write takes at most; 0: EAGAIN until it is raised
  size_t deliver_bytes_max = SIZE_MAX;  // one on_bytes carries at most
  bool stalled = false;                 // nothing is delivered, not even the end
  std::function<size_t(size_t)> take;   // 0: EAGAIN this once
  std::function<size_t(size_t)> deliver;  // at least 1 byte is delivered
};

class FakeStream final : public net::Stream, private Steppable {
 public:
  ~FakeStream() override {
    if (loop_) loop_->remove(this);
    way_out().ended = true;
    way_out().faults.stalled = false;  // nobody could lift it any more
    way_in().reader_gone = true;
    way_in().bytes.clear();
    link_->ends[side_] = nullptr;
  }

  void set_reader(net::StreamReader* reader) override { reader_ = reader; }

  int64_t try_write(std::span<const iovec> pieces) override {
    if (!loop_) std::abort();  // between leave() and join()
    Way& way = way_out();
    if (way.reset || way.reader_gone || way.ended) return -1;
    size_t offered = 0;
    for (const iovec& piece : pieces) offered += piece.iov_len;
    size_t take = std::min(offered, room(way));
    take = std::min(take, way.faults.take ? way.faults.take(offered) : way.faults.write_bytes_max);
    size_t left = take;
    for (const iovec& piece : pieces) {
      const size_t part = std::min(left, piece.iov_len);
      way.bytes.append(static_cast<const char*>(piece.iov_base), part);
      left -= part;
    }
    way.written += take;
    return static_cast<int64_t>(take);
  }
  int64_t write(base::Bytes bytes) {  // for tests: one piece
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    return try_write({&piece, 1});
  }
  void want_writable() override { wants_writable_ = true; }

  void pause(net::Pause why) override { paused_ |= static_cast<uint8_t>(why); }
  void resume(net::Pause why) override { paused_ &= static_cast<uint8_t>(~why); }
  void shut_write() override { way_out().ended = true; }

  void leave() override {
    if (!loop_) std::abort();
    loop_->remove(this);
    loop_ = nullptr;
  }
  void join(net::Loop& loop) override {
    if (loop_) std::abort();
    loop_ = static_cast<FakeLoop*>(&loop);
    loop_->add(this);
  }
  std::string peer() const override { return peer_; }
  void set_peer(std::string peer) override { peer_ = std::move(peer); }

  // Both ways break: what is under way is lost, both readers get an end with a text.
  void reset() {
    for (Way& way : link_->ways) {
      way.reset = true;
      way.bytes.clear();
    }
  }

  FakeWay& outward() { return way_out().faults; }  // of the bytes that this end writes
  FakeWay& inward() { return way_in().faults; }    // of the bytes that come to this end
  size_t bytes_under_way() const { return way_out().bytes.size(); }
  uint64_t bytes_written() const { return way_out().written; }
  bool peer_alive() const { return link_->ends[1 - side_] != nullptr; }
  bool is_paused() const { return paused_ != 0; }

 private:
  friend std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> make_fake_streams(
      FakeLoop& first, FakeLoop& second);

  struct Way {
    FakeWay faults;
    std::string bytes;  // written and not yet delivered
    uint64_t written = 0;
    bool ended = false;        // by shut_write or because the writing end is gone
    bool reader_gone = false;  // the reading end is gone
    bool reset = false;
  };
  struct Link {
    Way ways[2];  // ways[n] is written by ends[n]
    FakeStream* ends[2] = {nullptr, nullptr};
  };

  FakeStream(FakeLoop& loop, std::shared_ptr<Link> link, int side)
      : link_(std::move(link)), loop_(&loop), side_(side) {
    link_->ends[side_] = this;
    loop.add(this);
  }

  static size_t room(const Way& way) {
    return way.faults.window_bytes > way.bytes.size() ? way.faults.window_bytes - way.bytes.size()
                                                      : 0;
  }
  Way& way_out() const { return link_->ways[side_]; }
  Way& way_in() const { return link_->ways[1 - side_]; }

  bool can_tell_writable() const {
    const Way& way = way_out();
    if (!wants_writable_) return false;
    return way.reset || way.reader_gone || way.ended ||
           (room(way) > 0 && (way.faults.take || way.faults.write_bytes_max > 0));
  }
  bool can_read() const {
    const Way& way = way_in();
    if (end_told_ || paused_ != 0 || way.faults.stalled) return false;
    return way.reset || way.ended || !way.bytes.empty();
  }
  bool is_ready() const override { return reader_ && (can_tell_writable() || can_read()); }

  void step() override {
    if (can_tell_writable()) {
      wants_writable_ = false;
      reader_->on_writable();
    } else if (!way_in().bytes.empty()) {
      deliver();
    } else {
      end_told_ = true;
      reader_->on_end(way_in().reset
                          ? base::Error{base::ErrorKind::Unreachable, "connection reset by peer"}
                          : base::Error{base::ErrorKind::Unreachable, ""});
    }
  }

  void deliver() {
    Way& way = way_in();
    const size_t held = way.bytes.size();
    size_t count = way.faults.deliver ? way.faults.deliver(held) : way.faults.deliver_bytes_max;
    count = std::min({std::max<size_t>(count, 1), held, base::kScratchBytes});
    std::copy_n(way.bytes.data(), count, loop_->scratch().data());
    way.bytes.erase(0, count);
    reader_->on_bytes({loop_->scratch().data(), count});  // may destroy this stream
  }

  std::shared_ptr<Link> link_;
  FakeLoop* loop_;
  net::StreamReader* reader_ = nullptr;
  std::string peer_ = "fake:";
  int side_;
  uint8_t paused_ = 0;
  bool wants_writable_ = false;
  bool end_told_ = false;
};

inline std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> make_fake_streams(
    FakeLoop& first, FakeLoop& second) {
  auto link = std::make_shared<FakeStream::Link>();
  return {std::unique_ptr<FakeStream>(new FakeStream(first, link, 0)),
          std::unique_ptr<FakeStream>(new FakeStream(second, link, 1))};
}

inline std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> make_fake_streams(
    FakeLoop& loop) {
  return make_fake_streams(loop, loop);
}

// A reader that keeps what it is told.
struct Recorder final : net::StreamReader {
  void on_bytes(base::Bytes chunk) override {
    bytes.append(chunk);
    ++deliveries;
    if (then) then();
  }
  void on_end(const base::Error& why) override {
    end = why;
    ++ends;
    if (then) then();
  }
  void on_writable() override {
    ++writables;
    if (then) then();
  }
  std::string bytes;
  std::optional<base::Error> end;
  int deliveries = 0;
  int ends = 0;
  int writables = 0;
  std::function<void()> then;  // after each of them
};

}  // namespace weir::fake
