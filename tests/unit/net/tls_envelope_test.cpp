// A TLS handshake inside packets of another protocol, and TLS that ends before its stream does.
#include <gtest/gtest.h>

#include <weir/base/bytes.h>
#include <weir/net/tls.h>

#include "fake_stream.h"
#include "tls_talk.h"

namespace weir::net {
namespace {

using base::Bytes;
using fake::Recorder;

// "!", a length of two bytes, at most `size` bytes.
struct Parcels final : base::Envelope {
  explicit Parcels(size_t size) : size_max(size) {}
  void wrap(Bytes inside, std::string& out) override {
    for (; !inside.empty(); inside.remove_prefix(std::min(size_max, inside.size()))) {
      const Bytes part = inside.substr(0, size_max);
      out += {'!', static_cast<char>(part.size() >> 8), static_cast<char>(part.size())};
      out += part;
      ++count;
    }
  }
  std::optional<size_t> unwrap(Bytes in, std::string& inside) override {
    if (!in.empty() && in[0] != '!') return std::nullopt;
    if (in.size() < 3) return 0;
    const size_t size = base::load_be16(in.data() + 1);
    if (in.size() < 3 + size) return 0;
    inside += in.substr(3, size);
    return 3 + size;
  }
  size_t size_max;
  int count = 0;
};

struct World {
  fake::FakeLoop loop;
  std::unique_ptr<fake::FakeStream> plain_client, plain_server;
  std::unique_ptr<Stream> client, server;
  std::string client_error = "no end yet", server_error = "no end yet";
  std::shared_ptr<Parcels> of_client, of_server;
  Recorder at_client, at_server;

  World() { std::tie(plain_client, plain_server) = fake::make_fake_streams(loop, loop); }
  ~World() {
    client.reset();
    server.reset();
    loop.settle();
  }
  World& shake(size_t parcel = 4088) {
    of_client = std::make_shared<Parcels>(parcel);
    of_server = std::make_shared<Parcels>(parcel);
    client = start_tls(loop, std::move(plain_client),
                       TlsConnect{fake::tls_contexts().client, "localhost", of_client},
                       [this](auto status) {
                         client_error = status ? "" : status.error().text;
                         client->set_reader(&at_client);
                         if (status) write(*client, "at once");
                       });
    accept("");
    return *this;
  }
  void accept(Bytes received) {
    server =
        start_tls(loop, std::move(plain_server),
                  TlsAccept{fake::tls_contexts().server, received, of_server}, [this](auto status) {
                    server_error = status ? "" : status.error().text;
                    server->set_reader(&at_server);
                  });
    loop.settle();
  }
  static int64_t write(Stream& stream, Bytes bytes) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    return stream.try_write({&piece, 1});
  }
};

TEST(TlsEnvelope, TheHandshakeIsInPacketsAndTheRestIsNot) {
  for (const size_t parcel : {1, 7, 100, 4088}) {
    World world;
    world.shake(parcel);
    ASSERT_EQ(world.client_error + world.server_error, "");
    EXPECT_EQ(world.client->tls()->version, "TLSv1.2");
    EXPECT_EQ(world.at_server.bytes, "at once");
    const int packets = world.of_client->count;
    World::write(*world.client, " question");
    World::write(*world.server, "answer");
    world.loop.settle();
    EXPECT_EQ(world.at_server.bytes, "at once question");
    EXPECT_EQ(world.at_client.bytes, "answer");
    EXPECT_EQ(world.of_client->count, packets);
  }
}

TEST(TlsEnvelope, PiecesOfAnySize) {
  for (const size_t size : {1, 2, 3, 50, 1000}) {
    World world;
    world.plain_client->inward().deliver_bytes_max = size;
    world.plain_client->outward().deliver_bytes_max = size;
    world.shake(300);
    EXPECT_EQ(world.client_error + world.server_error, "");
    EXPECT_EQ(world.at_server.bytes, "at once");
  }
}

TEST(TlsEnvelope, AnotherPacketEndsTheHandshake) {
  World world;
  world.of_server = std::make_shared<Parcels>(100);
  world.accept("?");
  EXPECT_EQ(world.server_error, "TLS handshake failed: a packet that does not belong to it");
}

TEST(TlsEnvelope, WhatCameBeforeCounts) {
  World world;
  Recorder ignored;
  auto parcels = std::make_shared<Parcels>(50);
  auto [far_end, near_end] = fake::make_fake_streams(world.loop, world.loop);
  std::unique_ptr<fake::FakeStream> peer = std::move(near_end);
  Recorder hello;
  peer->set_reader(&hello);
  auto client =
      start_tls(world.loop, std::move(far_end),
                TlsConnect{fake::tls_contexts().client, "localhost", parcels}, [](auto) {});
  world.loop.settle();
  world.of_server = std::make_shared<Parcels>(4088);
  world.accept(hello.bytes);
  EXPECT_EQ(world.of_server->count, 1);  // it has answered
  client.reset();
}

TEST(StopTls, BothGoOnInClear) {
  World world;
  world.shake();
  std::string received;
  world.client = stop_tls(*world.client, received);
  ASSERT_TRUE(world.client);
  EXPECT_EQ(received, "");
  world.client->set_reader(&world.at_client);
  World::write(*world.client, "in clear");
  std::string at_server;
  world.server = stop_tls(*world.server, at_server);
  ASSERT_TRUE(world.server);
  world.server->set_reader(&world.at_server);
  world.loop.settle();
  EXPECT_EQ(world.at_server.bytes, "at oncein clear");
  World::write(*world.server, "answer");
  world.loop.settle();
  EXPECT_EQ(world.at_client.bytes, "answer");
  EXPECT_EQ(world.client->tls(), nullptr);
}

// From within the delivery of the last record, with what came behind it in one go.
TEST(StopTls, NothingIsLostAtTheSwitch) {
  for (const size_t size : {size_t{1}, size_t{10}, SIZE_MAX}) {
    World world;
    world.shake();
    struct Stopper final : StreamReader {
      void on_bytes(Bytes bytes) override {
        all += bytes;
        if (!all.ends_with("last")) return;
        std::string received;
        world->server = stop_tls(*world->server, received);
        all += received;
        if (world->server) world->server->set_reader(this);
        all += "|";
      }
      void on_end(const base::Error&) override { all += "#"; }
      void on_writable() override {}
      World* world = nullptr;
      std::string all;
    } stopper;
    stopper.world = &world;
    world.server->set_reader(&stopper);
    World::write(*world.client, "the last");
    std::string received;
    world.client = stop_tls(*world.client, received);
    ASSERT_TRUE(world.client);
    static_cast<fake::FakeStream&>(*world.client).outward().deliver_bytes_max = size;
    World::write(*world.client, " in clear");
    world.loop.settle();
    std::erase(stopper.all, '|');
    EXPECT_EQ(stopper.all, "the last in clear");
    ASSERT_TRUE(world.server);
  }
}

TEST(StopTls, NotWhileSomethingIsUnderWay) {
  World world;
  world.shake();
  const std::string large(100'000, 'x');
  EXPECT_GT(World::write(*world.client, large), 0);
  std::string received;
  EXPECT_FALSE(stop_tls(*world.client, received));
}

}  // namespace
}  // namespace weir::net
