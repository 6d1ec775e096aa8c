// Streams over real sockets: what is delivered, in which pieces, and what no longer is.
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <random>
#include <thread>

#include "net_fixture.h"

namespace weir::net {
namespace {

std::string pattern(size_t size) {
  std::string out(size, '\0');
  std::minstd_rand random(7);
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

// Two connected TCP streams on one loop.
struct TcpPair {
  explicit TcpPair(Loop& loop) : server(loop), client(loop, server.listener->bound()) {
    EXPECT_TRUE(RunUntil(loop, [&] { return client.stream && !server.streams.empty(); }));
    accepted = std::move(server.streams.back());
    server.streams.clear();
    dialled = std::move(client.stream);
  }
  Server server;
  Client client;
  std::unique_ptr<Stream> accepted, dialled;
};

// Writes `bytes` and goes on whenever there is room again.
struct Pump {
  Pump(Stream& to, std::string_view bytes) : stream(to), left(bytes) {
    recorder.then = [this] { go_on(); };
    stream.set_reader(&recorder);
    go_on();
  }
  void go_on() {
    while (!left.empty()) {
      const int64_t sent = write(stream, left);
      if (sent < 0) return;
      if (sent == 0) return stream.want_writable();
      left.remove_prefix(static_cast<size_t>(sent));
    }
  }
  Stream& stream;
  std::string_view left;
  Recorder recorder;
};

TEST(SocketStream, BackPressureUntilWritable) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  const std::string all = pattern(8 << 20);
  Pump pump(*pair.dialled, all);
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_FALSE(pump.left.empty());  // nobody reads yet
  EXPECT_EQ(pump.recorder.writables, 0);
  Recorder reader;
  pair.accepted->set_reader(&reader);
  ASSERT_TRUE(RunUntil(*loop, [&] { return reader.bytes.size() == all.size(); }));
  EXPECT_EQ(reader.bytes, all);
  EXPECT_GT(pump.recorder.writables, 0);
}

TEST(SocketStream, ManyPiecesInOneWrite) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  Recorder reader;
  b->set_reader(&reader);
  std::vector<iovec> pieces(1500, iovec{const_cast<char*>("xyzt"), 4});
  EXPECT_EQ(a->try_write(pieces), 4 * IOV_MAX);  // as many as the system takes at once
  ASSERT_TRUE(RunUntil(*loop, [&] { return reader.bytes.size() == 4 * IOV_MAX; }));
}

TEST(SocketStream, OneByteAtATime) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  Recorder reader;
  pair.accepted->set_reader(&reader);
  const std::string text = "select 1";
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_EQ(write(*pair.dialled, std::string_view(text).substr(i, 1)), 1);
    ASSERT_TRUE(RunUntil(*loop, [&] { return reader.bytes.size() == i + 1; }));
  }
  EXPECT_EQ(reader.bytes, text);
  EXPECT_EQ(reader.deliveries, static_cast<int>(text.size()));
}

TEST(SocketStream, NothingIsDeliveredWhilePaused) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  Recorder reader;
  b->set_reader(&reader);
  b->pause(kPauseParked);
  b->pause(kPausePeerFull);
  write(*a, "hello");
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_EQ(reader.bytes, "");
  b->resume(kPauseParked);
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_EQ(reader.bytes, "");
  b->resume(kPausePeerFull);
  EXPECT_EQ(reader.bytes, "");  // never inside resume()
  ASSERT_TRUE(RunUntil(*loop, [&] { return reader.bytes == "hello"; }));
}

TEST(SocketStream, PausingInsideADeliveryStopsIt) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  const std::string all = pattern(1 << 20);
  Pump pump(*pair.dialled, all);
  Recorder reader;
  reader.then = [&] { pair.accepted->pause(kPauseBusy); };
  pair.accepted->set_reader(&reader);
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_EQ(reader.deliveries, 1);
  reader.then = nullptr;
  pair.accepted->resume(kPauseBusy);
  ASSERT_TRUE(RunUntil(*loop, [&] { return reader.bytes.size() == all.size(); }));
  EXPECT_EQ(reader.bytes, all);
}

TEST(SocketStream, BytesBeforeThereIsAReaderAreKept) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  write(*a, "early");
  a.reset();
  run_for(*loop, 10 * base::kMillisecond);
  Recorder first, second;
  b->set_reader(&first);
  first.then = [&, stream = b.get()] { stream->set_reader(&second); };
  ASSERT_TRUE(RunUntil(*loop, [&] { return second.ends == 1; }));
  EXPECT_EQ(first.bytes, "early");
  EXPECT_EQ(first.ends, 0);
}

TEST(SocketStream, TheEndIsToldOnce) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  Recorder reader;
  pair.accepted->set_reader(&reader);
  write(*pair.dialled, "last words");
  pair.dialled.reset();
  ASSERT_TRUE(RunUntil(*loop, [&] { return reader.ends == 1; }));
  EXPECT_EQ(reader.bytes, "last words");
  EXPECT_EQ(reader.end->text, "");
  pair.accepted->pause(kPauseBusy);
  pair.accepted->resume(kPauseBusy);
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_EQ(reader.ends, 1);
}

TEST(SocketStream, HalfClosed) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  Recorder client, server;
  pair.dialled->set_reader(&client);
  pair.accepted->set_reader(&server);
  write(*pair.dialled, "question");
  pair.dialled->shut_write();
  ASSERT_TRUE(RunUntil(*loop, [&] { return server.ends == 1; }));
  EXPECT_EQ(client.ends, 0);
  EXPECT_EQ(write(*pair.accepted, "answer"), 6);
  pair.accepted->want_writable();
  ASSERT_TRUE(RunUntil(*loop, [&] { return client.bytes == "answer" && server.writables == 1; }));
  EXPECT_EQ(write(*pair.dialled, "more"), -1);
}

// Closing with unread bytes makes the system send a reset.
void reset_by(Loop& loop, std::unique_ptr<Stream>& stream, Stream& other) {
  EXPECT_EQ(write(other, "never read"), 10);
  run_for(loop, 5 * base::kMillisecond);
  stream.reset();
}

TEST(SocketStream, AResetIsAnErrorWithAText) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  Recorder reader;
  pair.accepted->set_reader(&reader);
  reset_by(*loop, pair.dialled, *pair.accepted);
  ASSERT_TRUE(RunUntil(*loop, [&] { return reader.ends == 1; }));
  EXPECT_EQ(reader.end->text, "Connection reset by peer");
  EXPECT_EQ(write(*pair.accepted, "x"), -1);
}

TEST(SocketStream, AResetWhilePausedIsToldWhenResumed) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  Recorder reader;
  pair.accepted->set_reader(&reader);
  pair.accepted->pause(kPausePeerFull);
  reset_by(*loop, pair.dialled, *pair.accepted);
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_EQ(reader.ends, 0);
  pair.accepted->resume(kPausePeerFull);
  ASSERT_TRUE(RunUntil(*loop, [&] { return reader.ends == 1; }));
  EXPECT_EQ(reader.end->text, "Connection reset by peer");
}

TEST(SocketStream, ABlockedWriterHearsOfAReset) {
  auto loop = make_loop();
  TcpPair pair(*loop);
  const std::string all = pattern(8 << 20);
  Pump pump(*pair.accepted, all);
  pair.accepted->pause(kPausePeerFull);
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_EQ(pump.recorder.writables, 0);
  pair.dialled.reset();
  ASSERT_TRUE(RunUntil(*loop, [&] { return pump.recorder.writables > 0; }));
  EXPECT_EQ(write(*pair.accepted, "x"), -1);
  EXPECT_EQ(pump.recorder.ends, 0);
  pair.accepted->resume(kPausePeerFull);
  ASSERT_TRUE(RunUntil(*loop, [&] { return pump.recorder.ends == 1; }));
  EXPECT_NE(pump.recorder.end->text, "");
}

TEST(SocketStream, DestroyedInsideEachOfItsCallbacks) {
  auto loop = make_loop();
  for (const char* what : {"bytes", "end", "writable"}) {
    auto [a, b] = socket_pair(*loop, *loop);
    Recorder reader;
    int calls = 0;
    reader.then = [&, stream = &b] {
      ++calls;
      stream->reset();
    };
    b->set_reader(&reader);
    if (what == std::string("bytes"))
      write(*a, "x");
    else if (what == std::string("end"))
      a.reset();
    else
      b->want_writable();
    ASSERT_TRUE(RunUntil(*loop, [&] { return calls == 1; })) << what;
    run_for(*loop, 5 * base::kMillisecond);
    EXPECT_EQ(calls, 1) << what;
  }
}

// One readiness of several kinds, and the first of its callbacks destroys everything.
TEST(SocketStream, NoCallbackAfterOneThatDestroyed) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  Recorder at_a, at_b;
  int calls = 0;
  const auto destroy_both = [&, first = &a, second = &b] {
    ++calls;
    first->reset();
    second->reset();
  };
  at_a.then = at_b.then = destroy_both;
  a->set_reader(&at_a);
  b->set_reader(&at_b);
  write(*a, "x");
  write(*b, "y");
  a->want_writable();
  b->want_writable();
  ASSERT_TRUE(RunUntil(*loop, [&] { return calls > 0; }));
  run_for(*loop, 5 * base::kMillisecond);
  EXPECT_EQ(calls, 1);
}

TEST(SocketStream, ABusyStreamYieldsToAnother) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  auto [c, d] = socket_pair(*loop, *loop);
  const std::string all = pattern(1 << 20);
  Pump pump(*a, all);
  Recorder busy, other;
  b->set_reader(&busy);
  d->set_reader(&other);
  Stream& talker = *c;
  // Each delivery brings its own successor, so that b never runs dry.
  size_t others_at = 0;
  busy.then = [&] {
    pump.left = all;
    pump.go_on();
    if (busy.deliveries == 1) write(talker, "me too");
  };
  other.then = [&] { others_at = busy.bytes.size(); };
  ASSERT_TRUE(RunUntil(*loop, [&] { return others_at > 0; }));
  EXPECT_LE(others_at, 3 * base::kReadsPerWake * base::kScratchBytes);
}

TEST(SocketStream, MovesToAnotherLoop) {
  auto here = make_loop(), there = make_loop();
  auto [a, b] = socket_pair(*here, *here);
  Recorder at_a, at_b;
  a->set_reader(&at_a);
  b->set_reader(&at_b);
  write(*a, "one");
  ASSERT_TRUE(RunUntil(*here, [&] { return at_b.bytes == "one"; }));
  b->pause(kPauseBusy);
  write(*a, "two");  // on its way while nobody watches
  run_for(*here, 5 * base::kMillisecond);
  b->resume(kPauseBusy);
  b->leave();
  std::thread worker([&, stream = b.get()] {
    stream->join(*there);
    EXPECT_TRUE(RunUntil(*there, [&] { return at_b.bytes == "onetwo"; }));
    EXPECT_EQ(write(*stream, "back"), 4);
    stream->leave();
  });
  worker.join();
  ASSERT_TRUE(RunUntil(*here, [&] { return at_a.bytes == "back"; }));
  b->join(*here);
  write(*a, "three");
  ASSERT_TRUE(RunUntil(*here, [&] { return at_b.bytes == "onetwothree"; }));
}

TEST(SocketStream, LeavesInsideItsOwnDelivery) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  Recorder reader;
  b->set_reader(&reader);
  reader.then = [&, stream = b.get()] {
    stream->leave();
    stream->join(*loop);
  };
  for (int i = 1; i <= 3; ++i) {
    write(*a, "x");
    ASSERT_TRUE(RunUntil(*loop, [&] { return reader.deliveries == i; }));
  }
}

// Its second write used to go out before what its socket had not taken of the first.
TEST(SocketStream, TheLastOneOfAFullTurnMayWriteTwice) {
  auto loop = make_loop();
  std::vector<std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>> others;
  for (int i = 0; i < 63; ++i) others.push_back(socket_pair(*loop, *loop));
  auto [a, b] = socket_pair(*loop, *loop);
  const std::string block(1 << 20, '.');
  size_t filled = 0;
  for (int64_t sent; (sent = write(*a, block)) > 0;) filled += static_cast<size_t>(sent);
  for (auto& other : others) write(*other.first, "x");
  EXPECT_EQ(write(*a, "first "), 6);
  EXPECT_EQ(write(*a, "second"), 6);
  Recorder reader;
  b->set_reader(&reader);
  EXPECT_TRUE(RunUntil(*loop, [&] { return reader.bytes.size() == filled + 12; }));
  EXPECT_TRUE(reader.bytes.ends_with(".first second"));
}

TEST(SocketStream, OutlivesItsLoopWhichHasSentWhatItHeld) {
  auto loop = make_loop();
  auto other = make_loop();
  auto [a, b] = socket_pair(*loop, *other);
  Recorder reader;
  b->set_reader(&reader);
  EXPECT_EQ(write(*a, "x"), 1);
  loop.reset();
  EXPECT_TRUE(RunUntil(*other, [&] { return reader.bytes == "x"; }));
  a.reset();
}

}  // namespace
}  // namespace weir::net
