// A SQLite engine on a file of its own, served on a real loop over pipes.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include <weir/base/timer.h>
#include <weir/engine/sqlite.h>
#include <weir/net/loop.h>

#include "pg_client.h"

namespace weir::engine {

struct SqliteTest : testing::Test {
  SqliteTest()
      : wake([](void* self, base::Time) { static_cast<SqliteTest*>(self)->loop->stop(); }, this) {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-sqlite-XXXXXX").string();
    directory = mkdtemp(pattern.data());
    options.path = directory + "/deep/er/test.db";
    options.create = true;
    options.helper_threads = 2;
  }
  ~SqliteTest() override {
    clients.clear();
    for (int i = 0; i < 3 && engine; ++i) turn();
    engine.reset();  // the loop does not run any more
    std::filesystem::remove_all(directory);
  }

  void open() {
    auto opened = open_sqlite(options);
    ASSERT_TRUE(opened) << opened.error().text;
    engine = std::move(*opened);
  }
  // Until something has come, or for 20 ms.
  void turn() {
    loop->timers().set(wake, base::steady_now() + 20 * base::kMillisecond);
    loop->run();
  }
  fake::PgClient& connect(postgres::SettingMap parameters = {}) {
    if (!engine) open();
    auto [ours, theirs] = net::make_pipe(*loop, 64 * 1024);
    auto client = std::make_unique<fake::PgClient>(std::move(ours), [this] { turn(); });
    client->then = [this] { loop->stop(); };
    engine->serve(*loop, std::move(theirs));
    EXPECT_EQ(client->start(std::move(parameters)).status, 'I');
    clients.push_back(std::move(client));
    return *clients.back();
  }
  void cancel(const fake::PgClient& client) {
    auto [ours, theirs] = net::make_pipe(*loop, 4096);
    fake::PgClient other(std::move(ours), [this] { turn(); });
    engine->serve(*loop, std::move(theirs));
    std::string request;
    postgres::MessageBuilder(request, '\0')
        .int32(80877102)
        .int32(client.process_id())
        .raw(client.secret());
    other.send(request);
    for (int i = 0; i < 3 && !other.ended(); ++i) turn();
  }

  std::unique_ptr<net::Loop> loop = net::make_loop();
  base::Timer wake;
  SqliteOptions options;
  std::string directory;
  std::unique_ptr<Engine> engine;
  std::vector<std::unique_ptr<fake::PgClient>> clients;
};

// Runs for as long as it is let.
constexpr const char* kForever =
    "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r";

inline std::string values_of(const fake::PgReply& reply) {
  std::string out;
  for (const auto& error : reply.errors) out += "!" + error.sqlstate + " ";
  for (const auto& row : reply.rows) {
    for (size_t i = 0; i < row.size(); ++i) out += (i == 0 ? "" : "|") + row[i].value_or("~");
    out += ";";
  }
  return out;
}

}  // namespace weir::engine
