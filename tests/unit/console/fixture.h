// A console with a made-up weir behind it, on a fake loop, and clients for it.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include <weir/engine/console.h>

#include "fake_loop.h"
#include "fake_stream.h"
#include "pg_client.h"

namespace weir::engine {

// Two workers, one of which the test may silence.
struct FakeView final : AdminView {
  std::vector<AdminPool> pools() const override { return all_pools; }
  std::vector<AdminDatabase> databases() const override { return all_databases; }
  std::vector<AdminStats> stats() const override { return all_stats; }
  std::vector<AdminUser> users() const override { return all_users; }
  std::vector<AdminOption> options() const override { return {{"workers", "2", "auto", false}}; }
  std::vector<AdminItem> lists() const override { return {{"databases", 3}, {"users", 2}}; }
  std::vector<AdminName> names() const override {
    return {{"db.test", 14 * base::kSecond, {"10.0.0.1", "::1"}}};
  }
  std::vector<AdminItem> state() const override { return {{"active", 1}, {"paused", 0}}; }
  uint32_t workers() const override { return 2; }
  void ask(uint32_t worker, net::Loop& loop,
           std::function<void(AdminPeople)> answer) const override {
    if (silent == static_cast<int>(worker)) {
      kept.push_back(std::move(answer));
      return;
    }
    loop.mailbox().post_call(
        [answer = std::move(answer), people = people.at(worker)] { answer(people); });
  }

  std::vector<AdminPool> all_pools;
  std::vector<AdminDatabase> all_databases;
  std::vector<AdminStats> all_stats;
  std::vector<AdminUser> all_users;
  std::map<uint32_t, AdminPeople> people{{0, {}}, {1, {}}};
  int silent = -1;
  mutable std::vector<std::function<void(AdminPeople)>> kept;
};

// Does what it is told at once, or when the test says so.
struct FakeActions final : AdminActions {
  void act(const AdminCommand& command, net::Loop& loop,
           std::function<void(base::Status)> done) override {
    commands.push_back(command);
    if (holds) {
      kept.push_back(std::move(done));
      return;
    }
    loop.mailbox().post_call([done = std::move(done), status = result] { done(status); });
  }

  std::vector<AdminCommand> commands;
  base::Status result = base::ok();
  bool holds = false;
  std::vector<std::function<void(base::Status)>> kept;
};

struct ConsoleTest : testing::Test {
  ConsoleTest()
      : console(make_console({.view = view,
                              .actions = actions,
                              .version = "weir 1.2.3",
                              .role_of = [this](std::string_view user) { return roles[user]; }})) {}

  std::unique_ptr<fake::PgClient> connect() {
    auto [ours, theirs] = fake::make_fake_streams(loop);
    auto client = std::make_unique<fake::PgClient>(std::move(ours), [this] { loop.settle(); });
    console->serve(loop, std::move(theirs));
    return client;
  }
  std::unique_ptr<fake::PgClient> login(const std::string& user = "ops") {
    auto client = connect();
    EXPECT_EQ(client->start({{"user", user}, {"database", "weir"}}).status, 'I');
    return client;
  }

  fake::FakeLoop loop;
  FakeView view;
  FakeActions actions;
  std::map<std::string_view, AdminRole> roles{{"ops", AdminRole::Admin}, {"mon", AdminRole::Stats}};
  std::unique_ptr<Engine> console;
};

}  // namespace weir::engine
