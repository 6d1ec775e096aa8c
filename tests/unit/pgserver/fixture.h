// A server with fake executors on a fake loop, and clients for it.
#pragma once

#include <gtest/gtest.h>

#include <weir/pgserver/server.h>

#include "fake_executor.h"
#include "fake_stream.h"
#include "pg_client.h"

namespace weir::pgserver {

struct ServerTest : testing::Test {
  explicit ServerTest(const ServerOptions& options = {})
      : server(options,
               [this](net::Loop&, SessionInfo& session,
                      ExecutorClient& client) -> base::Result<std::unique_ptr<Executor>> {
                 if (session.database == "nowhere")
                   return base::Error{base::ErrorKind::Refused,
                                      "database \"nowhere\" does not exist", "3D000"};
                 return std::unique_ptr<Executor>(
                     std::make_unique<fake::FakeExecutor>(executors, client));
               }) {}

  std::unique_ptr<fake::PgClient> connect() {
    auto [ours, theirs] = fake::make_fake_streams(loop);
    wire = ours.get();
    auto client = std::make_unique<fake::PgClient>(std::move(ours), [this] { loop.settle(); });
    server.serve(loop, std::move(theirs));
    return client;
  }
  std::unique_ptr<fake::PgClient> login(postgres::SettingMap parameters = {}) {
    auto client = connect();
    const auto reply = client->start(std::move(parameters));
    EXPECT_EQ(reply.status, 'I');
    executors.log.clear();
    return client;
  }
  std::string log() { return std::exchange(executors.log, {}); }

  fake::FakeExecutors executors;
  fake::FakeLoop loop;
  Server server;
  fake::FakeStream* wire = nullptr;  // the client's end of the last connect()
};

}  // namespace weir::pgserver
