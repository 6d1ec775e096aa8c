// Two streams joined inside the process, on any kind of loop: all they need of it is run_soon().
//
//   end 0 --try_write--> ways[0] --pump--> reader of end 1
//   end 1 --try_write--> ways[1] --pump--> reader of end 0
//
// pump() runs from the loop and never inside a caller. Both ends belong to one loop for their whole
// life: a pipe leads to an engine inside this process, whose half could not follow to another
// worker.
#include <algorithm>
#include <cassert>
#include <memory>
#include <string>
#include <utility>

#include <weir/base/limits.h>
#include <weir/net/loop.h>

namespace weir::net {

namespace {

constexpr size_t kStepBytesMax = base::kReadsPerWake * base::kScratchBytes;  // each way, each pump
constexpr size_t kKeptBytesMax = 1024;  // an empty buffer larger than this is given back

class PipeEnd;

struct Way {
  std::string bytes;  // written and not yet delivered, from `begin` on
  size_t begin = 0;
  bool ended = false;      // nothing more will be written
  bool abandoned = false;  // nobody will read
  size_t held() const { return bytes.size() - begin; }
};

// What the two ends share. Kept alive by either end and by a pump that has been asked for.
struct Core : std::enable_shared_from_this<Core> {
  Core(Loop& on, size_t window) : loop(on), window_bytes(window) {}
  void pump_soon();
  void pump();

  Loop& loop;
  size_t window_bytes;
  Way ways[2];                            // ways[n] is written by ends[n]
  PipeEnd* ends[2] = {nullptr, nullptr};  // null when destroyed
  bool pump_asked = false;
};

class PipeEnd final : public Stream {
 public:
  PipeEnd(std::shared_ptr<Core> core, int side) : core_(std::move(core)), side_(side) {
    core_->ends[side_] = this;
  }
  ~PipeEnd() override;

  void set_reader(StreamReader* reader) override;
  int64_t try_write(std::span<const iovec> pieces) override;
  void want_writable() override;
  void pause(Pause why) override { paused_ |= static_cast<uint8_t>(why); }
  void resume(Pause why) override;
  void shut_write() override;
  void leave() override { assert(!"a pipe stays on its loop"); }
  void join(Loop& loop) override { assert(&loop == &core_->loop), static_cast<void>(loop); }
  std::string peer() const override { return "pipe:"; }

  // For pump(). Each may destroy this end. False when there was nothing to do.
  bool tell_writable();
  bool deliver(size_t& budget);
  bool has_work() const { return can_tell_writable() || can_read(); }

 private:
  Way& way_out() const { return core_->ways[side_]; }
  Way& way_in() const { return core_->ways[1 - side_]; }
  bool can_tell_writable() const;
  bool can_read() const;

  std::shared_ptr<Core> core_;
  StreamReader* reader_ = nullptr;
  int side_;
  uint8_t paused_ = 0;
  bool wants_writable_ = false;
  bool end_told_ = false;
};

PipeEnd::~PipeEnd() {
  core_->ends[side_] = nullptr;
  way_out().ended = true;
  way_in().abandoned = true;
  way_in().bytes = {};
  way_in().begin = 0;
  core_->pump_soon();
}

void PipeEnd::set_reader(StreamReader* reader) {
  reader_ = reader;
  if (has_work()) core_->pump_soon();
}

int64_t PipeEnd::try_write(std::span<const iovec> pieces) {
  Way& way = way_out();
  if (way.abandoned || way.ended) return -1;
  const size_t room = core_->window_bytes - std::min(core_->window_bytes, way.held());
  size_t left = room;
  for (const iovec& piece : pieces) {
    const size_t part = std::min(left, piece.iov_len);
    way.bytes.append(static_cast<const char*>(piece.iov_base), part);
    left -= part;
  }
  if (left != room) core_->pump_soon();
  return static_cast<int64_t>(room - left);
}

void PipeEnd::want_writable() {
  wants_writable_ = true;
  if (can_tell_writable()) core_->pump_soon();
}

void PipeEnd::resume(Pause why) {
  paused_ &= static_cast<uint8_t>(~why);
  if (can_read()) core_->pump_soon();
}

void PipeEnd::shut_write() {
  way_out().ended = true;
  core_->pump_soon();
}

bool PipeEnd::can_tell_writable() const {
  const Way& way = way_out();
  return wants_writable_ && reader_ &&
         (way.abandoned || way.ended || way.held() < core_->window_bytes);
}

bool PipeEnd::can_read() const {
  return reader_ && paused_ == 0 && !end_told_ && (way_in().held() > 0 || way_in().ended);
}

bool PipeEnd::tell_writable() {
  if (!can_tell_writable()) return false;
  wants_writable_ = false;
  reader_->on_writable();
  return true;
}

// The bytes go through the scratch buffer, so that the reader may write and destroy as it likes.
bool PipeEnd::deliver(size_t& budget) {
  if (!can_read()) return false;
  Way& way = way_in();
  if (way.held() == 0) {
    end_told_ = true;
    reader_->on_end({base::ErrorKind::Unreachable, ""});
    return true;
  }
  const std::span<char> scratch = core_->loop.scratch();
  const size_t count = std::min({way.held(), scratch.size(), budget});
  if (count == 0) return false;
  std::copy_n(way.bytes.data() + way.begin, count, scratch.data());
  way.begin += count;
  budget -= count;
  if (way.held() == 0) {
    way.begin = 0;
    way.bytes.clear();
    if (way.bytes.capacity() > kKeptBytesMax) way.bytes.shrink_to_fit();
  } else if (way.begin >= way.bytes.size() / 2) {
    way.bytes.erase(0, std::exchange(way.begin, 0));
  }
  reader_->on_bytes({scratch.data(), count});
  return true;
}

void Core::pump_soon() {
  if (pump_asked || (!ends[0] && !ends[1])) return;
  pump_asked = true;
  loop.run_soon([self = shared_from_this()] { self->pump(); });
}

// To and fro while something moves: a request and its answer take one turn of the loop. Bounded by
// a budget for each way; what is left waits for the next turn, so that sockets get theirs.
void Core::pump() {
  size_t budgets[2] = {kStepBytesMax, kStepBytesMax};
  for (size_t round = 0; round < 2 * base::kReadsPerWake; ++round) {
    bool moved = false;
    for (const int side : {1, 0}) {
      if (ends[side]) moved |= ends[side]->deliver(budgets[side]);
      if (ends[side]) moved |= ends[side]->tell_writable();
    }
    if (!moved) break;
  }
  pump_asked = false;
  for (const PipeEnd* end : ends)
    if (end && end->has_work()) return pump_soon();
}

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe(Loop& loop,
                                                                      size_t window_bytes) {
  assert(window_bytes > 0);
  auto core = std::make_shared<Core>(loop, window_bytes);
  return {std::make_unique<PipeEnd>(core, 0), std::make_unique<PipeEnd>(core, 1)};
}

}  // namespace weir::net
