// Look-ups by the system of this machine: what every machine knows, and what none does.
#include <weir/net/resolve.h>

#include <algorithm>

#include "net_fixture.h"

namespace weir::net {
namespace {

struct Asked {
  Asked(Loop& loop, const std::string& host) {
    resolving = resolve(loop.mailbox(), host, [this](Resolved answer) {
      ++calls;
      if (answer)
        addresses = *answer;
      else
        error = answer.error().text;
    });
    EXPECT_EQ(calls, 0);
  }
  std::unique_ptr<Resolving> resolving;
  std::vector<std::string> addresses;
  std::string error;
  int calls = 0;
};

TEST(Resolve, Localhost) {
  auto loop = make_loop();
  Asked asked(*loop, "localhost");
  ASSERT_TRUE(RunUntil(*loop, [&] { return asked.calls > 0; }));
  ASSERT_FALSE(asked.addresses.empty()) << asked.error;
  for (const std::string& address : asked.addresses) {
    EXPECT_TRUE(is_numeric(address)) << address;
    EXPECT_EQ(std::count(asked.addresses.begin(), asked.addresses.end(), address), 1);
  }
}

TEST(Resolve, NobodyKnowsTheName) {
  auto loop = make_loop();
  Asked asked(*loop, "no-such-host.invalid");
  ASSERT_TRUE(RunUntil(*loop, [&] { return asked.calls > 0; }));
  EXPECT_EQ(asked.error.find("cannot look up no-such-host.invalid: "), 0u) << asked.error;
}

TEST(Resolve, GivingUp) {
  auto loop = make_loop();
  Asked at_once(*loop, "localhost"), later(*loop, "localhost"), stays(*loop, "localhost");
  at_once.resolving.reset();
  loop->run_soon([&] { later.resolving.reset(); });
  ASSERT_TRUE(RunUntil(*loop, [&] { return stays.calls > 0; }));
  run_for(*loop, 20 * base::kMillisecond);
  EXPECT_EQ(at_once.calls + later.calls, 0);
}

// The thread may still be at it when everything else is gone.
TEST(Resolve, TheLoopGoesFirst) {
  for (int i = 0; i < 20; ++i) {
    auto loop = make_loop();
    Asked asked(*loop, "localhost");
    asked.resolving.reset();
  }
}

TEST(Resolve, DestroyedInItsOwnCallback) {
  auto loop = make_loop();
  int calls = 0;
  std::unique_ptr<Resolving> resolving;
  resolving = resolve(loop->mailbox(), "localhost", [&](const Resolved&) {
    ++calls;
    resolving.reset();
  });
  ASSERT_TRUE(RunUntil(*loop, [&] { return calls == 1; }));
}

TEST(Resolve, WhatIsNoName) {
  for (const char* host : {"127.0.0.1", "::1", "10.1"}) EXPECT_TRUE(is_numeric(host)) << host;
  for (const char* host : {"localhost", "db1.internal", ""}) EXPECT_FALSE(is_numeric(host)) << host;
}

}  // namespace
}  // namespace weir::net
