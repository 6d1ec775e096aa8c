// Which backends the house keeps, under a clock that the test moves.
#include "app/house.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <weir/config/load.h>

#include "app/protocols.h"
#include "fake_loop.h"

namespace weir::app {
namespace {

constexpr base::Duration kMinute = 60 * base::kSecond;

// Every name is a database, on a server that is never asked.
constexpr const char* kConfig =
    "listeners: [{protocol: postgres, address: \"127.0.0.1:1\"}]\n"
    "auth: {method: trust}\n"
    "users: {app: {}}\n"
    "databases:\n"
    "  named: {url: \"postgres://127.0.0.1:1/named\"}\n"
    "  cache: {url: \"redis://127.0.0.1:1\"}\n"
    "  ready: {url: \"postgres://127.0.0.1:1/ready\", pool: {min: 1}}\n"
    "  \"*\": {url: \"postgres://127.0.0.1:1\", pool: {max_server_connections: 5}}\n";

class HouseTest : public testing::Test {
 protected:
  HouseTest() {
    loop_.advance(base::steady_now() - loop_.now());
    house_.add_worker(worker_);
    door_->protocol = protocols_.at(0).get();
  }

  std::shared_ptr<const config::Config> config() {
    auto loaded = config::load_text(kConfig, "weir.yaml", {.protocols = protocol_descriptors()});
    EXPECT_TRUE(loaded) << loaded.report();
    return std::make_shared<const config::Config>(std::move(loaded.config));
  }

  session::Admitted admit(const std::string& database, const std::string& user = "app") {
    session::Visitor visitor;
    visitor.door = door_;
    visitor.peer = "127.0.0.1:5";
    visitor.request.user = user;
    visitor.request.database = database;
    session::Admitted out;
    house_.admit(visitor, worker_, [&](session::Admitted admitted) { out = std::move(admitted); });
    EXPECT_EQ(out.refusal.text, "");
    EXPECT_TRUE(out.backend);
    out.on_leave();
    return out;
  }
  // Somebody comes, perhaps logs in, and goes.
  void visit(const std::string& database, bool logs_in, const std::string& user = "app") {
    const session::Admitted admitted = admit(database, user);
    if (logs_in) admitted.backend->stats(0).logins[session::LoginResult::Ok].add();
  }
  size_t after(base::Duration time) {
    loop_.advance(time);
    house_.tick(worker_);
    while (loop_.deliver_letter()) {
    }
    return house_.backends().size();
  }

  base::InternTable texts_;
  std::vector<std::unique_ptr<protocol::Protocol>> protocols_ = make_protocols(texts_);
  House house_{config(), protocols_,
               [](const config::Database&) { return std::shared_ptr<session::Dialler>(); }, 1};
  fake::FakeLoop loop_;
  session::Worker worker_{0, loop_, house_};
  std::shared_ptr<session::Door> door_ = std::make_shared<session::Door>();
};

TEST_F(HouseTest, NamesThatStrangersMakeUpLeaveNothing) {
  for (int i = 0; i < 100; ++i) visit("made-up-" + std::to_string(i), false);
  EXPECT_EQ(after(59 * base::kSecond), 100u);  // it may be a mistake that is made again and again
  EXPECT_EQ(after(2 * base::kSecond), 0u);
}

TEST_F(HouseTest, ACrowdOfThemGoesAtOnce) {
  visit("named", false);
  for (int i = 0; i < 1100; ++i) visit("made-up-" + std::to_string(i), false);
  EXPECT_EQ(after(0), 1u);  // its clock may even be behind that of those who came
}

TEST_F(HouseTest, UsersThatStrangersMakeUpLeaveNothing) {
  for (int i = 0; i < 100; ++i) visit("named", false, "user" + std::to_string(i));
  visit("ready", false, "nobody");
  EXPECT_EQ(after(61 * base::kSecond), 0u);
}

TEST_F(HouseTest, WhoIsStillThereKeepsItsBackend) {
  {
    const session::Admitted admitted = admit("made-up");
    EXPECT_EQ(after(3 * 60 * kMinute), 1u);
    EXPECT_EQ(admitted.backend.get(), house_.backends().at(0).get());
  }
  EXPECT_EQ(after(base::kSecond), 0u);
}

TEST_F(HouseTest, WhatIsNotUsedForAnHourGoes) {
  visit("any", true);
  visit("named", false);
  EXPECT_EQ(after(59 * kMinute), 2u);
  EXPECT_EQ(after(2 * kMinute), 0u);
  visit("any", true);
  EXPECT_EQ(house_.backends().size(), 1u);
}

TEST_F(HouseTest, ALaneThatNobodyUsesKeepsNoBackend) {
  {
    const auto has_lanes = [](const auto& each) { return each->lanes() != nullptr; };
    door_->protocol = std::find_if(protocols_.begin(), protocols_.end(), has_lanes)->get();
    const session::Admitted admitted = admit("cache");
    admitted.backend->stats(0).logins[session::LoginResult::Ok].add();
    worker_.lane(*admitted.backend, {});
  }
  EXPECT_EQ(after(59 * kMinute), 1u);
  EXPECT_EQ(after(2 * kMinute), 0u);
}

TEST_F(HouseTest, APoolThatIsKeptReadyStays) {
  visit("ready", true);
  EXPECT_EQ(after(24 * 60 * kMinute), 1u);
}

}  // namespace
}  // namespace weir::app
