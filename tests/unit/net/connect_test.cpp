// Listening, accepting and connecting over real sockets of this machine.
#include "net_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace weir::net {
namespace {

std::string temporary_path(const char* name) {
  return (std::filesystem::temp_directory_path() / (std::string(name) + std::to_string(getpid())))
      .string();
}

void expect_echo(Loop& loop, Server& server, Client& client) {
  ASSERT_TRUE(RunUntil(loop, [&] { return client.calls > 0 && !server.streams.empty(); }));
  ASSERT_TRUE(client.stream) << client.error;
  Recorder at_client, at_server;
  Stream& accepted = *server.streams.back();
  client.stream->set_reader(&at_client);
  accepted.set_reader(&at_server);
  EXPECT_EQ(write(*client.stream, "ping"), 4);
  ASSERT_TRUE(RunUntil(loop, [&] { return at_server.bytes == "ping"; }));
  EXPECT_EQ(write(accepted, "pong"), 4);
  ASSERT_TRUE(RunUntil(loop, [&] { return at_client.bytes == "pong"; }));
  client.stream.reset();
  ASSERT_TRUE(RunUntil(loop, [&] { return at_server.ends == 1; }));
  EXPECT_EQ(at_server.end->text, "");
  server.streams.clear();
}

TEST(Connect, Tcp) {
  auto loop = make_loop();
  Server server(*loop);
  EXPECT_NE(server.listener->bound().port, 0);
  Client client(*loop, server.listener->bound());
  expect_echo(*loop, server, client);
  EXPECT_EQ(server.peer.substr(0, 10), "127.0.0.1:");
}

TEST(Connect, TcpVersion6) {
  auto loop = make_loop();
  ListenCallbacks callbacks;
  if (!listen(*loop, {"::1", 0, ""}, {}, callbacks)) GTEST_SKIP() << "no IPv6 here";
  Server server(*loop, {"::1", 0, ""});
  Client client(*loop, server.listener->bound());
  expect_echo(*loop, server, client);
  EXPECT_EQ(server.peer.substr(0, 6), "[::1]:");
}

TEST(Connect, ByName) {
  auto loop = make_loop();
  Server server(*loop, {"127.0.0.1", 0, ""});
  Endpoint endpoint{"db.test", server.listener->bound().port, ""};
  endpoint.addresses = {"127.0.0.2", "127.0.0.1"};  // nobody listens at the first
  Client client(*loop, endpoint);
  ASSERT_TRUE(RunUntil(*loop, [&] { return client.calls > 0; }));
  ASSERT_TRUE(client.stream) << client.error;
  EXPECT_EQ(client.stream->peer(), server.listener->bound().text());
  expect_echo(*loop, server, client);
}

TEST(Connect, EveryAddressOfTheListener) {
  auto loop = make_loop();
  Server server(*loop, {"*", 0, ""});
  Client client(*loop, {"127.0.0.1", server.listener->bound().port, ""});
  expect_echo(*loop, server, client);
  EXPECT_EQ(server.peer.substr(0, 10), "127.0.0.1:");  // not an address mapped into IPv6
}

TEST(Connect, AbstractUnixSocket) {
  auto loop = make_loop();
  const std::string path = "@weir-net-test-" + std::to_string(getpid());
  Server server(*loop, {"", 0, path});
  Client client(*loop, server.listener->bound());
  expect_echo(*loop, server, client);
  EXPECT_EQ(server.peer, "unix:" + path);
}

TEST(Connect, UnixSocketWithItsFile) {
  auto loop = make_loop();
  const std::string path = temporary_path("weir-net-test-");
  {
    Server server(*loop, {"", 0, path});
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0777u);
    Client client(*loop, server.listener->bound());
    expect_echo(*loop, server, client);
    ListenCallbacks callbacks;
    const auto second = listen(*loop, {"", 0, path}, {}, callbacks);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text, "listen on unix:" + path + ": Address already in use");
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Connect, AFileLeftBehindIsReplacedButNothingElse) {
  auto loop = make_loop();
  const std::string path = temporary_path("weir-net-stale-");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  {
    ListenOptions options;
    options.mode = "0700";
    auto listener = listen(*loop, {"", 0, path}, options, {});
    ASSERT_TRUE(listener) << listener.error().text;
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
  }
  ::close(creat(path.c_str(), 0600));
  EXPECT_FALSE(listen(*loop, {"", 0, path}, {}, {}));
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
}

TEST(Connect, WrongAccessIsAnErrorAndLeavesNoFile) {
  auto loop = make_loop();
  const std::string path = temporary_path("weir-net-access-");
  ListenOptions options;
  options.mode = "rwx";
  EXPECT_FALSE(listen(*loop, {"", 0, path}, options, {}));
  options.mode = "0777";
  options.group = "no such group";
  EXPECT_FALSE(listen(*loop, {"", 0, path}, options, {}));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Connect, Refused) {
  auto loop = make_loop();
  Endpoint nobody;
  {
    Server server(*loop);
    nobody = server.listener->bound();
  }
  Client client(*loop, nobody);
  ASSERT_TRUE(RunUntil(*loop, [&] { return client.calls > 0; }));
  EXPECT_EQ(client.error, "connect to " + nobody.text() + ": Connection refused");
  Client by_name(*loop, {"db.test", nobody.port, "", {"127.0.0.1", "127.0.0.2"}});
  ASSERT_TRUE(RunUntil(*loop, [&] { return by_name.calls > 0; }));
  EXPECT_EQ(by_name.error, "connect to db.test:" + std::to_string(nobody.port) +
                               ": Connection refused (the last of 2 addresses)");
  Client no_file(*loop, {"", 0, "/nowhere/at/all"});
  ASSERT_TRUE(RunUntil(*loop, [&] { return no_file.calls > 0; }));
  EXPECT_EQ(no_file.error, "connect to unix:/nowhere/at/all: No such file or directory");
  Client too_long(*loop, {"", 0, std::string(200, 'x')});
  ASSERT_TRUE(RunUntil(*loop, [&] { return too_long.calls > 0; }));
  EXPECT_FALSE(too_long.error.empty());
}

TEST(Connect, LooksNoNameUp) {
  auto loop = make_loop();
  Client client(*loop, {"localhost", 5432, ""});
  ASSERT_TRUE(RunUntil(*loop, [&] { return client.calls > 0; }));
  EXPECT_EQ(client.error.find("connect to localhost:5432: "), 0u) << client.error;
}

TEST(Connect, GivingUpAtAnyTime) {
  auto loop = make_loop();
  Server server(*loop);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Client at_once(*loop, {host, server.listener->bound().port, ""});
    at_once.connecting.reset();
    run_for(*loop, 20 * base::kMillisecond);
    EXPECT_EQ(at_once.calls, 0);
  }
}

TEST(Connect, DestroyedInItsOwnCallback) {
  auto loop = make_loop();
  Server server(*loop);
  int calls = 0;
  std::unique_ptr<Connecting> connecting;
  connecting = connect(*loop, server.listener->bound(), {}, [&](auto) {
    ++calls;
    connecting.reset();
  });
  ASSERT_TRUE(RunUntil(*loop, [&] { return calls == 1; }));
  connecting = connect(*loop, {"", 0, "/nowhere"}, {}, [&](auto) {
    ++calls;
    connecting.reset();
  });
  ASSERT_TRUE(RunUntil(*loop, [&] { return calls == 2; }));
}

// A full queue of a unix socket is EAGAIN, which used to look like a refusal.
TEST(Connect, WaitsForRoomInTheQueueOfAUnixSocket) {
  auto loop = make_loop();
  const std::string path = "@weir-net-full-" + std::to_string(getpid());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd, 0), 0);
  Client first(*loop, {"", 0, path}), second(*loop, {"", 0, path});
  ASSERT_TRUE(RunUntil(*loop, [&] { return first.calls > 0; }));
  run_for(*loop, 30 * base::kMillisecond);
  EXPECT_EQ(second.calls, 0);
  const int accepted = accept(fd, nullptr, nullptr);
  ASSERT_TRUE(RunUntil(*loop, [&] { return second.calls > 0; }));
  EXPECT_TRUE(second.stream) << second.error;
  ::close(accepted);
  ::close(fd);
}

TEST(Listen, ManyAtOnceAndDestroyedInItsOwnCallback) {
  auto loop = make_loop();
  std::unique_ptr<Listener> listener;
  int accepted = 0;
  ListenCallbacks callbacks;
  callbacks.on_accept = [&](Accepted one) {
    ::close(one.fd);
    if (++accepted == 100) listener.reset();
  };
  listener = std::move(*listen(*loop, {"127.0.0.1", 0, ""}, {}, std::move(callbacks)));
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 120; ++i)
    clients.push_back(std::make_unique<Client>(*loop, listener->bound()));
  ASSERT_TRUE(RunUntil(*loop, [&] { return !listener; }));
  run_for(*loop, 10 * base::kMillisecond);
  EXPECT_EQ(accepted, 100);
}

TEST(Listen, ThePortOfAnother) {
  auto loop = make_loop();
  Server server(*loop);
  const auto second = listen(*loop, server.listener->bound(), {}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().text,
            "listen on " + server.listener->bound().text() + ": Address already in use");
}

// In a child, since the limit is the whole process's. Its exit code is the outcome.
int accept_without_descriptors() {
  auto loop = make_loop();
  int accepted = 0, rests = 0;
  ListenCallbacks callbacks;
  callbacks.on_accept = [&](Accepted one) {
    ++accepted;
    ::close(one.fd);
  };
  callbacks.on_accept_rest = [&](int error_number) { rests += error_number == EMFILE ? 1 : 100; };
  auto listener = std::move(*listen(*loop, {"127.0.0.1", 0, ""}, {}, std::move(callbacks)));
  Client client(*loop, listener->bound());
  std::vector<int> wasted;
  loop->run_soon([&] {  // the client has its socket by then
    for (int fd; (fd = dup(0)) >= 0;) wasted.push_back(fd);
  });
  run_for(*loop, 150 * base::kMillisecond);
  if (accepted != 0 || rests < 1 || rests > 2) return 10 + rests;
  for (const int fd : wasted) ::close(fd);
  return RunUntil(*loop, [&] { return accepted == 1; }) ? 0 : 2;
}

TEST(Listen, RestsWithoutDescriptors) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit few{64, 64};
    setrlimit(RLIMIT_NOFILE, &few);
    _exit(accept_without_descriptors());
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace weir::net
