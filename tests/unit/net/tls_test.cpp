// TLS around streams in memory: handshakes good and bad, bytes in pieces, back-pressure, pauses,
// moves.
#include <gtest/gtest.h>

#include <random>

#include <weir/net/tls.h>

#include "certificates.h"
#include "fake_stream.h"

namespace weir::net {
namespace {

using fake::FakeLoop;
using fake::FakeStream;
using fake::Recorder;

fake::Authority& authority() {
  static fake::Authority only;
  static const bool signed_once = [] {
    only.sign("localhost", "DNS:localhost,DNS:db.example,IP:127.0.0.1");
    only.sign("alice");
    return true;
  }();
  (void)signed_once;
  return only;
}

TlsServerOptions server_options() {
  TlsServerOptions options;
  options.cert = authority().cert("localhost");
  options.key = authority().key("localhost");
  options.alpn = {"postgresql"};
  return options;
}
TlsClientOptions client_options() {
  TlsClientOptions options;
  options.ca = authority().ca();
  options.verifies = options.verifies_name = true;
  options.alpn = {"postgresql"};
  return options;
}

// Two ends of one stream, each to become TLS; on loops of their own.
struct World {
  FakeLoop loop_a, loop_b;
  std::unique_ptr<FakeStream> plain_client, plain_server;
  std::unique_ptr<Stream> client, server;
  std::string client_error = "no end yet", server_error = "no end yet";

  World() { std::tie(plain_client, plain_server) = fake::make_fake_streams(loop_a, loop_b); }
  ~World() {
    client.reset();
    server.reset();
    settle();
  }
  void settle() {
    while (loop_a.settle() + loop_b.settle() > 0) {
    }
  }
  World& connect(const TlsClientOptions& options, const std::string& name = "localhost") {
    auto context = make_tls_client(options);
    EXPECT_TRUE(context) << context.error().text;
    client = start_tls(loop_a, std::move(plain_client), TlsConnect{*context, name},
                       [this](auto status) { client_error = text(status); });
    return *this;
  }
  World& accept(const TlsServerOptions& options, base::Bytes received = "") {
    auto context = make_tls_server(options);
    EXPECT_TRUE(context) << context.error().text;
    server = start_tls(loop_b, std::move(plain_server), TlsAccept{*context, received},
                       [this](auto status) { server_error = text(status); });
    return *this;
  }
  World& shake() {
    connect(client_options()).accept(server_options()).settle();
    EXPECT_EQ(client_error, "");
    EXPECT_EQ(server_error, "");
    return *this;
  }

 private:
  static std::string text(const base::Status& status) {
    return status ? std::string() : status.error().text;
  }
};

int64_t write(Stream& stream, base::Bytes bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return stream.try_write({&piece, 1});
}

std::string pattern(size_t size) {
  std::string out(size, '\0');
  std::minstd_rand random(7);
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

// Writes all of it, whenever there is room.
struct Pump final : StreamReader {
  Pump(Stream& to, base::Bytes bytes) : stream(to), left(bytes) {
    stream.set_reader(this);
    on_writable();
  }
  void on_bytes(base::Bytes) override {}
  void on_end(const base::Error&) override {}
  void on_writable() override {
    while (!left.empty()) {
      const int64_t taken = write(stream, left);
      ASSERT_GE(taken, 0);
      if (taken == 0) return stream.want_writable();
      left.remove_prefix(static_cast<size_t>(taken));
    }
  }
  Stream& stream;
  base::Bytes left;
};

TEST(Tls, ShakesHandsAndSpeaksBothWays) {
  World world;
  world.shake();
  Recorder at_client, at_server;
  world.client->set_reader(&at_client);
  world.server->set_reader(&at_server);
  EXPECT_EQ(write(*world.client, "question"), 8);
  EXPECT_EQ(write(*world.server, "answer"), 6);
  world.settle();
  EXPECT_EQ(at_server.bytes, "question");
  EXPECT_EQ(at_client.bytes, "answer");
  const TlsFacts& facts = *world.client->tls();
  EXPECT_EQ(facts.version, "TLSv1.3");
  EXPECT_EQ(facts.alpn, "postgresql");
  EXPECT_EQ(facts.peer_name, "localhost");
  EXPECT_EQ(facts.server_end_point.size(), 32u);
  EXPECT_EQ(facts.server_end_point, world.server->tls()->server_end_point);
  EXPECT_FALSE(world.server->tls()->peer_name);
}

TEST(Tls, PiecesOfAnySize) {
  for (const size_t size : {1, 3, 1000}) {
    World world;
    world.plain_client->inward().deliver_bytes_max = size;
    world.plain_client->outward().deliver_bytes_max = size;
    world.shake();
    Recorder at_client, at_server;
    world.client->set_reader(&at_client);
    world.server->set_reader(&at_server);
    const std::string text = pattern(40'000);
    EXPECT_EQ(write(*world.client, text), 40'000);
    EXPECT_EQ(write(*world.server, text), 40'000);
    world.settle();
    EXPECT_EQ(at_server.bytes, text);
    EXPECT_EQ(at_client.bytes, text);
  }
}

TEST(Tls, TakesNoMoreThanThePeer) {
  World world;
  world.plain_client->outward().window_bytes = 5000;
  world.shake();
  const std::string text = pattern(3 << 20);
  Recorder at_server;
  Pump pump(*world.client, text);
  EXPECT_GT(pump.left.size(), text.size() - 200'000);
  world.settle();
  EXPECT_GT(pump.left.size(), text.size() - 200'000);  // nobody reads yet
  world.server->set_reader(&at_server);
  world.settle();
  EXPECT_EQ(pump.left.size(), 0u);
  EXPECT_EQ(at_server.bytes, text);
}

TEST(Tls, APausedStreamDeliversNothingAndLosesNothing) {
  World world;
  world.shake();
  Recorder at_server;
  world.server->set_reader(&at_server);
  const std::string text = pattern(60'000);
  at_server.then = [&] { world.server->pause(kPauseParked); };
  write(*world.client, text);
  world.settle();
  const size_t first = at_server.bytes.size();
  EXPECT_GT(first, 0u);
  EXPECT_LE(first, 16'384u);
  write(*world.client, "more");
  world.settle();
  EXPECT_EQ(at_server.bytes.size(), first);
  at_server.then = nullptr;
  world.server->resume(kPauseParked);
  world.settle();
  EXPECT_EQ(at_server.bytes, text + "more");
}

TEST(Tls, AWrongNameIsSaid) {
  World world;
  world.connect(client_options(), "elsewhere.example").accept(server_options()).settle();
  EXPECT_NE(world.client_error.find("not for \"elsewhere.example\""), std::string::npos)
      << world.client_error;
  EXPECT_NE(world.server_error, "");
  World address;
  address.connect(client_options(), "127.0.0.1").accept(server_options()).settle();
  EXPECT_EQ(address.client_error, "");
}

TEST(Tls, AnUnknownAuthorityIsSaid) {
  fake::Authority another("another");
  TlsClientOptions options = client_options();
  options.ca = another.ca();
  World world;
  world.connect(options).accept(server_options()).settle();
  EXPECT_NE(world.client_error.find("certificate"), std::string::npos) << world.client_error;
  options.verifies = options.verifies_name = false;
  World trusting;
  trusting.connect(options).accept(server_options()).settle();
  EXPECT_EQ(trusting.client_error, "");
}

TEST(Tls, ClientsShowTheirs) {
  TlsServerOptions server = server_options();
  server.ca = authority().ca();
  TlsClientOptions client = client_options();
  client.cert = authority().cert("alice");
  client.key = authority().key("alice");
  World world;
  world.connect(client).accept(server).settle();
  EXPECT_EQ(world.server_error, "");
  EXPECT_EQ(world.server->tls()->peer_name, "alice");
  World without;
  without.connect(client_options()).accept(server).settle();
  EXPECT_EQ(without.server_error, "");
  EXPECT_FALSE(without.server->tls()->peer_name);  // who wants one refuses in words
}

TEST(Tls, AlpnThatIsNotOursIsRefused) {
  TlsClientOptions client = client_options();
  client.alpn = {"h2"};
  World world;
  world.connect(client).accept(server_options()).settle();
  EXPECT_NE(world.server_error, "");
  EXPECT_NE(world.client_error, "");
  client.alpn = {};
  World none;
  none.connect(client).accept(server_options()).settle();
  EXPECT_EQ(none.server_error, "");
  EXPECT_EQ(none.server->tls()->alpn, "");
}

TEST(Tls, OldVersionsAreRefused) {
  TlsServerOptions server = server_options();
  server.min_version = "1.3";
  TlsServerOptions wrong = server_options();
  wrong.min_version = "2";
  EXPECT_FALSE(make_tls_server(wrong));
  World world;
  world.connect(client_options()).accept(server).settle();
  EXPECT_EQ(world.client_error, "");
  EXPECT_EQ(world.client->tls()->version, "TLSv1.3");
}

TEST(Tls, WhatIsNoTlsIsAnError) {
  for (const std::string text : {"GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff garbage", "x"}) {
    World world;
    world.accept(server_options());
    Recorder at_client;
    world.plain_client->set_reader(&at_client);
    world.plain_client->write(text);
    world.settle();
    world.plain_client.reset();
    world.settle();
    EXPECT_NE(world.server_error, "") << text;
  }
}

TEST(Tls, AnEndInTheHandshakeIsSaid) {
  World world;
  world.accept(server_options());
  world.plain_client.reset();
  world.settle();
  EXPECT_EQ(world.server_error, "TLS handshake failed: connection closed by the peer");
}

TEST(Tls, BytesThatWereReceivedBeforeCount) {
  World world;
  Recorder at_server;
  world.plain_server->set_reader(&at_server);
  world.connect(client_options()).settle();
  world.plain_server->set_reader(nullptr);
  ASSERT_FALSE(at_server.bytes.empty());
  EXPECT_EQ(at_server.bytes[0], 0x16);
  world.accept(server_options(), at_server.bytes).settle();
  EXPECT_EQ(world.client_error, "");
  EXPECT_EQ(world.server_error, "");
}

TEST(Tls, MovesToAnotherLoop) {
  World world;
  world.shake();
  Recorder at_server;
  world.server->set_reader(&at_server);
  world.server->leave();
  world.server->join(world.loop_a);
  write(*world.client, "here");
  world.settle();
  EXPECT_EQ(at_server.bytes, "here");
}

TEST(Tls, AReaderMayDestroyIt) {
  World world;
  world.shake();
  Recorder at_server;
  world.server->set_reader(&at_server);
  at_server.then = [&] { world.server.reset(); };
  Recorder at_client;
  world.client->set_reader(&at_client);
  write(*world.client, pattern(50'000));
  world.settle();
  EXPECT_EQ(world.server, nullptr);
  EXPECT_TRUE(at_client.end.has_value());
}

TEST(Tls, AnOrderlyEndArrives) {
  World world;
  world.shake();
  Recorder at_server;
  world.server->set_reader(&at_server);
  write(*world.client, "last");
  world.client->shut_write();
  world.settle();
  EXPECT_EQ(at_server.bytes, "last");
  ASSERT_TRUE(at_server.end.has_value());
  EXPECT_EQ(at_server.end->text, "");
}

TEST(Tls, ABrokenRecordEndsTheStream) {
  World world;
  FakeStream& wire = *world.plain_client;
  world.shake();
  Recorder at_server;
  world.server->set_reader(&at_server);
  wire.write(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  world.settle();
  ASSERT_TRUE(at_server.end.has_value());
  EXPECT_NE(at_server.end->text, "");
  EXPECT_EQ(write(*world.server, "x"), -1);
}

TEST(TlsContext, SaysWhatIsWrongWithAFile) {
  const auto error = [](const TlsServerOptions& options) {
    const auto made = make_tls_server(options);
    return made ? std::string() : made.error().text;
  };
  TlsServerOptions options = server_options();
  options.cert = "/nowhere.crt";
  EXPECT_EQ(error(options), "/nowhere.crt: no certificate: No such file or directory");
  options = server_options();
  options.key = authority().key("alice");
  EXPECT_NE(error(options).find("alice.key: no"), std::string::npos);
  options = server_options();
  options.ca = options.key;
  EXPECT_NE(error(options).find("no certificates to trust"), std::string::npos);
  options = server_options();
  options.ciphers = "nonsense";
  EXPECT_NE(error(options).find("nonsense"), std::string::npos);
}

}  // namespace
}  // namespace weir::net
