// Names under a clock that the test moves, with a resolver that answers when the test says so.
#include "app/names.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "app/dialler.h"
#include "fake_loop.h"

namespace weir::app {
namespace {

using Addresses = Names::Addresses;
constexpr base::Duration kTtl = 15 * base::kSecond;
constexpr base::Duration kNegative = 5 * base::kSecond;

class NamesTest : public testing::Test {
 protected:
  struct Asked {
    std::string host;
    net::ResolveCallback done;
    bool wanted = true;
  };
  struct Asking final : net::Resolving {
    explicit Asking(Asked& in) : asked(in) {}
    ~Asking() override { asked.wanted = false; }
    Asked& asked;
  };
  // The outcome of one find().
  struct Outcome {
    int calls = 0;
    Addresses addresses;
    std::string error;
  };

  const Outcome& find(const std::string& host = "db.test") {
    Outcome& out = *outcomes_.emplace_back(std::make_unique<Outcome>());
    names_.find(host, loop_.mailbox(), [&out](Names::Found found) {
      ++out.calls;
      if (found)
        out.addresses = *found;
      else
        out.error = found.error().text;
    });
    return out;
  }
  void answer(const net::Resolved& with) {
    ASSERT_FALSE(asked_.empty());
    const auto first =
        std::find_if(asked_.begin(), asked_.end(), [](const auto& each) { return each->wanted; });
    ASSERT_NE(first, asked_.end());
    const auto done = std::move((*first)->done);
    done(with);
    loop_.settle();
  }
  void good(const Addresses& addresses) { answer(net::Resolved(addresses)); }
  void bad(const std::string& why = "no answer") {
    answer(base::Error{base::ErrorKind::Unreachable, why});
  }
  size_t open() const {
    return static_cast<size_t>(
        std::count_if(asked_.begin(), asked_.end(), [](const auto& each) { return each->wanted; }));
  }
  void advance(base::Duration by) {
    loop_.advance(by);
    names_.tick();
  }

  fake::FakeLoop loop_;
  std::set<std::string> in_use_{"db.test"};
  std::vector<std::unique_ptr<Asked>> asked_;  // ever
  std::vector<std::unique_ptr<Outcome>> outcomes_;
  std::vector<std::pair<Addresses, bool>> heard_;
  Names names_{{.now = [this] { return loop_.now(); },
                .resolve =
                    [this](const std::string& host, net::ResolveCallback done) {
                      asked_.push_back(std::make_unique<Asked>(Asked{host, std::move(done)}));
                      return std::make_unique<Asking>(*asked_.back());
                    },
                .in_use = [this](const std::string& host) { return in_use_.contains(host); },
                .heard =
                    [this](const std::string& host, const Addresses& addresses, bool mended) {
                      // Nobody can dial them yet.
                      EXPECT_NE(names_.addresses(host), addresses_that_are_new_);
                      heard_.emplace_back(addresses, mended);
                    }},
               {.ttl = kTtl, .negative_ttl = kNegative}};
  Addresses addresses_that_are_new_{"10.0.0.99"};
};

TEST_F(NamesTest, ManyWaitForOneLookup) {
  for (int i = 0; i < 100; ++i) find();
  EXPECT_EQ(asked_.size(), 1u);
  loop_.settle();
  EXPECT_EQ(outcomes_[0]->calls, 0);
  good({"10.0.0.1", "::1"});
  for (const auto& each : outcomes_) {
    EXPECT_EQ(each->calls, 1);
    EXPECT_EQ(each->addresses, (Addresses{"10.0.0.1", "::1"}));
  }
  const Outcome& later = find();
  EXPECT_EQ(later.calls, 1);  // at once
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(NamesTest, OneLookupEachTtlAndTheOldAddressesMeanwhile) {
  find();
  good({"10.0.0.1"});
  advance(kTtl - 1);
  EXPECT_EQ(asked_.size(), 1u);
  advance(1);
  advance(kTtl);  // a slow resolver is not asked twice
  EXPECT_EQ(asked_.size(), 2u);
  EXPECT_EQ(find().addresses, Addresses{"10.0.0.1"});
  good({"10.0.0.2"});
  EXPECT_EQ(find().addresses, Addresses{"10.0.0.2"});
  advance(kTtl);
  EXPECT_EQ(asked_.size(), 3u);
  ASSERT_EQ(heard_.size(), 2u);
  EXPECT_EQ(heard_[1], (std::pair{Addresses{"10.0.0.2"}, false}));
}

TEST_F(NamesTest, PoolsHearBeforeAnybodyDials) {
  find();
  good({"10.0.0.1"});
  advance(kTtl);
  good(addresses_that_are_new_);  // the expectation is in `heard`
  EXPECT_EQ(names_.addresses("db.test"), addresses_that_are_new_);
}

TEST_F(NamesTest, AFailureKeepsTheAddresses) {
  find();
  good({"10.0.0.1"});
  for (int i = 0; i < 3; ++i) {
    advance(i == 0 ? kTtl : kNegative);
    EXPECT_EQ(open(), 1u);
    bad();
    EXPECT_EQ(find().addresses, Addresses{"10.0.0.1"});
  }
  EXPECT_EQ(heard_.size(), 1u);  // nothing is retired
  advance(kNegative);
  good({"10.0.0.1"});
  EXPECT_EQ(heard_.back(), (std::pair{Addresses{"10.0.0.1"}, true}));
  advance(kTtl - 1);
  EXPECT_EQ(open(), 0u);
}

TEST_F(NamesTest, AFailureWithoutAddressesIsBelievedForAWhile) {
  const Outcome& first = find();
  bad("cannot look up db.test: no");
  EXPECT_EQ(first.error, "cannot look up db.test: no");
  loop_.advance(kNegative - 1);
  const Outcome& second = find();
  EXPECT_EQ(second.calls, 1);
  EXPECT_EQ(second.error, first.error);
  EXPECT_EQ(asked_.size(), 1u);
  loop_.advance(1);
  const Outcome& third = find();
  EXPECT_EQ(third.calls, 0);
  good({"10.0.0.1"});
  EXPECT_EQ(third.addresses, Addresses{"10.0.0.1"});
  EXPECT_TRUE(heard_.back().second);
}

TEST_F(NamesTest, FailuresThatAreNotBelieved) {
  names_.set_rules({.ttl = kTtl, .negative_ttl = 0});
  find();
  bad();
  const Outcome& again = find();
  EXPECT_EQ(open(), 1u);
  bad("still");
  EXPECT_EQ(again.error, "still");
  advance(100 * base::kMillisecond);
  EXPECT_EQ(open(), 0u);  // in the background all the same not in a circle
  advance(base::kSecond);
  EXPECT_EQ(open(), 1u);
}

TEST_F(NamesTest, WhatNobodyUsesIsDropped) {
  in_use_.clear();
  find();
  good({"10.0.0.1"});
  find();  // that counts until the next look-up
  advance(kTtl);
  EXPECT_EQ(open(), 1u);
  good({"10.0.0.1"});
  EXPECT_EQ(names_.views().size(), 1u);
  advance(kTtl);
  EXPECT_EQ(open(), 0u);
  EXPECT_TRUE(names_.views().empty());
  const Outcome& anew = find();
  EXPECT_EQ(anew.calls, 0);
  EXPECT_EQ(open(), 1u);
}

TEST_F(NamesTest, AnotherTtlCountsAtOnce) {
  find();
  good({"10.0.0.1"});
  advance(2 * base::kSecond);
  EXPECT_EQ(open(), 0u);
  names_.set_rules({.ttl = base::kSecond, .negative_ttl = kNegative});
  advance(0);
  EXPECT_EQ(open(), 1u);
}

TEST_F(NamesTest, NotAllAtOnce) {
  for (int i = 0; i < 20; ++i) find("host" + std::to_string(i));
  EXPECT_EQ(open(), static_cast<size_t>(Names::kAtOnceMax));
  for (int i = 0; i < 20; ++i) good({"10.0.0.1"});
  for (const auto& each : outcomes_) EXPECT_EQ(each->calls, 1);
  EXPECT_EQ(asked_.size(), 20u);
}

TEST_F(NamesTest, Views) {
  find();
  EXPECT_TRUE(names_.views().at(0).is_asked);
  good({"10.0.0.1"});
  advance(base::kSecond);
  const Names::View view = names_.views().at(0);
  EXPECT_EQ(view.host, "db.test");
  EXPECT_EQ(view.left, kTtl - base::kSecond);
  EXPECT_EQ(view.addresses, Addresses{"10.0.0.1"});
  EXPECT_FALSE(view.is_asked);
}

// ---------------------------------------------------------------- the dialler

TEST_F(NamesTest, ADiallerThatWaitsForANameFailsWithIt) {
  NetworkDialler dialler({{"db.test", 5432}}, {}, names_);
  int place = -1;
  std::string error;
  const auto connecting =
      dialler.dial(loop_, place, [&](auto result) { error = result.error().text; });
  EXPECT_EQ(place, 0);
  bad("cannot look up db.test: no");
  EXPECT_EQ(error, "cannot look up db.test: no");
  error.clear();
  const auto known = dialler.dial(loop_, place, [&](auto result) { error = result.error().text; });
  EXPECT_EQ(error, "");  // never from inside the call
  loop_.settle();
  EXPECT_EQ(error, "cannot look up db.test: no");
}

TEST_F(NamesTest, GivingUpWhileTheNameIsLookedUp) {
  NetworkDialler dialler({{"db.test", 5432}}, {}, names_);
  int place = -1;
  int calls = 0;
  auto connecting = dialler.dial(loop_, place, [&](const auto&) { ++calls; });
  connecting.reset();
  bad();
  connecting = dialler.dial(loop_, place, [&](const auto&) { ++calls; });
  connecting.reset();
  loop_.settle();
  EXPECT_EQ(calls, 0);
}

TEST_F(NamesTest, OriginsAreOfNamesAlone) {
  const NetworkDialler dialler(
      {{"db.test", 5432}, {"10.0.0.1", 5432}, {"::1", 5432}, {"/run", 5432}}, {}, names_);
  EXPECT_EQ(dialler.origin(0, "10.0.0.1:5432"), origin_of("10.0.0.1"));
  EXPECT_EQ(dialler.origin(0, "[::1]:5432"), origin_of("::1"));
  EXPECT_EQ(dialler.origin(0, "[fe80::1]:5432"), origin_of("fe80::1%eth0"));
  EXPECT_NE(origin_of("10.0.0.1"), origin_of("10.0.0.2"));
  EXPECT_EQ(dialler.origin(1, "10.0.0.1:5432"), 0u);
  EXPECT_EQ(dialler.origin(2, "[::1]:5432"), 0u);
  EXPECT_EQ(dialler.origin(3, "unix:/run/.s.PGSQL.5432"), 0u);
  EXPECT_TRUE(asked_.empty());
}

}  // namespace
}  // namespace weir::app
