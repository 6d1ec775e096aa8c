// What weir reads of a server's answers, the ledger, and how a server counts as it stands.
#include <gtest/gtest.h>

#include "play.h"
#include "protocol/redis/piece.h"

namespace weir::redis::script {
namespace {

// What begins in front of `bytes`, the same for as much of them as it takes to tell.
Seen::Kind seen(const ServerState& server, const std::string& bytes) {
  const Seen whole = look(server, bytes);
  bool told = false;
  for (size_t size = 1; size <= bytes.size(); ++size) {
    const Seen part = look(server, Bytes(bytes).substr(0, size));
    if (part.kind == Seen::Kind::More) {
      EXPECT_FALSE(told) << bytes << " at " << size;
      continue;
    }
    told = true;
    EXPECT_EQ(part.kind, whole.kind) << bytes << " at " << size;
  }
  return whole.kind;
}

ServerState owing(Entry::Kind kind, int resp = 2) {
  ServerState server;
  server.resp = resp;
  server.ledger.push({.kind = kind, .value = 1});
  return server;
}

TEST(RedisPieces, WhatServersSay) {
  using Kind = Seen::Kind;
  const std::string line = "+OK\r\n", note = "+123.4 [0 x] \"PING\"\r\n";
  const std::string said = message(2, "c", "m"), pushed = message(3, "c", "m");
  const std::string confirmed = told(2, "subscribe", "c", 1);
  const std::string other = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
  const ServerState idle;
  EXPECT_EQ(seen(idle, line), Kind::Surplus);
  EXPECT_EQ(seen(idle, said), Kind::Surplus);
  EXPECT_EQ(seen(idle, pushed), Kind::Surplus);
  EXPECT_EQ(seen(idle, other), Kind::Surplus);

  const ServerState plain = owing(Entry::Kind::Plain);
  for (const std::string& each : {line, note, said, confirmed})
    EXPECT_EQ(seen(plain, each), Kind::Answer);
  EXPECT_EQ(seen(plain, pushed), Kind::Push);
  EXPECT_EQ(seen(plain, other), Kind::Push);

  ServerState subscriber;
  subscriber.subscriptions.channels = 1;
  EXPECT_EQ(seen(subscriber, said), Kind::Push);
  EXPECT_EQ(seen(subscriber, told(2, "sunsubscribe", "c", 0)), Kind::Confirmation);
  EXPECT_EQ(seen(subscriber, line), Kind::Surplus);
  subscriber.ledger.push({});
  EXPECT_EQ(seen(subscriber, "*2\r\n$4\r\npong\r\n$0\r\n\r\n"), Kind::Answer);
  subscriber.resp = 3;
  EXPECT_EQ(seen(subscriber, said), Kind::Answer);
  EXPECT_EQ(seen(subscriber, pushed), Kind::Push);

  for (const Entry::Kind kind : {Entry::Kind::Subscribe, Entry::Kind::UnsubscribeAll}) {
    EXPECT_EQ(seen(owing(kind), confirmed), Kind::Confirmation);
    EXPECT_EQ(seen(owing(kind, 3), told(3, "subscribe", "c", 1)), Kind::Confirmation);
    EXPECT_EQ(seen(owing(kind), "-NOPERM no\r\n"), Kind::Answer);
    EXPECT_EQ(seen(owing(kind), "+QUEUED\r\n"), Kind::Answer);
  }

  ServerState monitor;
  monitor.monitor = true;
  EXPECT_EQ(seen(monitor, note), Kind::Push);
  monitor.ledger.push({});
  EXPECT_EQ(seen(monitor, note), Kind::Push);
  EXPECT_EQ(seen(monitor, line), Kind::Answer);
}

// redis R43
TEST(RedisPieces, Confirmations) {
  Subscriptions counts;
  EXPECT_EQ(note_confirmation(told(2, "subscribe", "a", 1), counts), 0);
  EXPECT_EQ(note_confirmation(told(3, "psubscribe", "p", 2), counts), 0);
  EXPECT_EQ(note_confirmation(told(2, "ssubscribe", "s", 1), counts), 0);
  EXPECT_EQ(note_confirmation(told(2, "subscribe", ":9\r\n", 3), counts), 1);
  EXPECT_EQ(counts.channels, 2);
  EXPECT_EQ(counts.patterns, 1);
  EXPECT_EQ(counts.shards, 1);
  EXPECT_EQ(note_confirmation(told(2, "unsubscribe", "a", 2), counts), 2);
  EXPECT_EQ(note_confirmation(told(2, "punsubscribe", "p", 1), counts), 1);
  EXPECT_EQ(note_confirmation(told(2, "unsubscribe", "", 0), counts), 1);
  EXPECT_EQ(note_confirmation(told(3, "sunsubscribe", "s", 0), counts), 1);
  EXPECT_EQ(counts.all(), 0);
}

// redis R50
TEST(RedisPieces, TheIdInHello) {
  for (const int resp : {2, 3}) {
    const std::string answer = ModelConnection::greeting(resp, 123456);
    const auto [start, end] = find_id(answer);
    EXPECT_EQ(answer.substr(start, end - start), "123456");
  }
  EXPECT_EQ(find_id("%0\r\n"), (std::pair<size_t, size_t>{0, 0}));
  EXPECT_EQ(find_id("%1\r\n$2\r\nid\r\n:12"), (std::pair<size_t, size_t>{0, 0}));
}

// redis R58
TEST(RedisPieces, TheClientThatInvalidationsGoTo) {
  const auto redirect = [](const std::string& answer) {
    const auto [start, end] = find_redirect(answer);
    return answer.substr(start, end - start);
  };
  EXPECT_EQ(redirect(":17\r\n"), "17");
  for (const std::string nobody : {":0\r\n", ":-1\r\n", "-ERR no\r\n", "_\r\n"})
    EXPECT_EQ(redirect(nobody), "");
  const std::string info = "%2\r\n$5\r\nflags\r\n~1\r\n$2\r\non\r\n$8\r\nredirect\r\n:";
  EXPECT_EQ(redirect(info + "17\r\n$8\r\nprefixes\r\n*0\r\n"), "17");
  EXPECT_EQ(redirect(info + "-1\r\n"), "");
}

TEST(RedisPieces, Info) {
  // As redis-server 7.0.15 says it.
  const std::string text =
      "id=4 addr=/tmp/s:0 laddr=/tmp/s:0 fd=7 name=me age=0 idle=0 flags=PtOU db=3 sub=2 psub=1 "
      "ssub=4 multi=-1 qbuf=50 qbuf-free=20424 argv-mem=10 multi-mem=0 rbs=16384 rbp=16384 obl=223 "
      "oll=0 omem=0 tot-mem=37738 events=r cmd=client|info user=default redir=-1 resp=3\n";
  const std::string verbatim = "=" + bulk("txt:" + text).substr(1);
  for (const std::string& answer : {bulk(text), verbatim}) {
    const auto info = read_info(answer);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->database, 3);
    EXPECT_EQ(info->resp, 3);
    EXPECT_EQ(info->subscriptions.channels, 2);
    EXPECT_EQ(info->subscriptions.patterns, 1);
    EXPECT_EQ(info->subscriptions.shards, 4);
    EXPECT_TRUE(info->monitor);
    EXPECT_TRUE(info->tracking);
    EXPECT_EQ(info->name, "me");
  }
  for (const std::string answer :
       {"-ERR no\r\n", "+OK\r\n", "$-1\r\n", "_\r\n", "*0\r\n", "$0\r\n\r\n"})
    EXPECT_FALSE(read_info(answer)) << answer;
}

TEST(RedisPieces, Measures) {
  for (const std::string answer :
       {"+OK\r\n", "$3\r\nabc\r\n", "%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n", "*?\r\n:1\r\n.\r\n"}) {
    EXPECT_EQ(measure_answer(answer + "+more\r\n").bytes, answer.size());
    for (size_t size = 1; size < answer.size(); ++size) {
      EXPECT_EQ(measure_answer(Bytes(answer).substr(0, size)).bytes, 0u);
      EXPECT_FALSE(measure_answer(Bytes(answer).substr(0, size)).bad);
    }
  }
  EXPECT_TRUE(measure_answer("hello\r\n").bad);
  EXPECT_TRUE(measure_answer("$9000000\r\n" + std::string(2'000'000, 'x')).bad);
}

// ---------------------------------------------------------------- the ledger

TEST(RedisLedger, LikeEntriesAreOne) {
  Ledger ledger;
  EXPECT_TRUE(ledger.empty());
  for (int i = 0; i < 3; ++i) ledger.push({.owner = 1});
  ledger.push({.owner = 2});
  ledger.push({.owner = 2, .silent = true});
  ledger.push({.kind = Entry::Kind::Subscribe, .value = 2});
  ledger.push({.kind = Entry::Kind::Subscribe, .value = 2});
  EXPECT_EQ(ledger.size(), 7u);
  EXPECT_EQ(ledger.front().count, 3u);
  EXPECT_TRUE(ledger.has(Entry::Kind::Subscribe));
  EXPECT_FALSE(ledger.has(Entry::Kind::Exec));
  for (int i = 0; i < 3; ++i) ledger.pop();
  EXPECT_EQ(ledger.front().owner, 2u);
  EXPECT_FALSE(ledger.front().silent);
  ledger.pop();
  EXPECT_TRUE(ledger.front().silent);
  ledger.take_back();
  ledger.pop();
  EXPECT_EQ(ledger.front().value, 2);
  ledger.take_back();
  EXPECT_TRUE(ledger.empty());
  EXPECT_FALSE(ledger.has(Entry::Kind::Subscribe));
  ledger.push({});
  EXPECT_EQ(ledger.size(), 1u);
}

TEST(RedisLedger, LongOnesAreKeptInOrder) {
  Ledger ledger;
  uint64_t next = 1, due = 1;
  for (int round = 0; round < 1000; ++round) {
    ledger.push({.owner = next++});
    if (round % 3 == 0) continue;
    EXPECT_EQ(ledger.front().owner, due++);
    ledger.pop();
  }
  while (!ledger.empty()) {
    EXPECT_EQ(ledger.front().owner, due++);
    ledger.pop();
  }
  EXPECT_EQ(due, next);
}

TEST(RedisState, Flavours) {
  for (const int64_t database : {kHome, int64_t{0}, int64_t{15}, int64_t{1'000'000}})
    for (const int resp : {2, 3}) {
      EXPECT_EQ(database_of(flavour_of(database, resp)), database);
      EXPECT_EQ(resp_of(flavour_of(database, resp)), resp);
    }
  ServerState server;
  server.home = server.database = 3;
  EXPECT_EQ(server.flavour(), ClientState().flavour());
  server.database = 0;
  EXPECT_EQ(server.flavour(), flavour_of(0, 2));
}

TEST(RedisState, Conditions) {
  const auto protocol = make_protocol();
  const auto stands = [&](auto change) {
    ServerState server;
    change(server);
    return protocol->link().condition(server);
  };
  using S = ServerState;
  EXPECT_EQ(stands([](S&) {}), Condition::Clean);
  EXPECT_EQ(stands([](S& s) { s.database = 5, s.resp = 3; }), Condition::Clean);
  for (bool S::*flag : {&S::monitor, &S::tracking, &S::foreign, &S::logged_out})
    EXPECT_EQ(stands([flag](S& s) { s.*flag = true; }), Condition::Dirty);
  EXPECT_EQ(stands([](S& s) { s.subscriptions.shards = 1; }), Condition::Broken);
  for (bool S::*flag : {&S::multi, &S::watch})
    EXPECT_EQ(stands([flag](S& s) { s.*flag = true; }), Condition::Open);
  for (bool S::*flag : {&S::raw, &S::unknown, &S::broken, &S::request_open})
    EXPECT_EQ(stands([flag](S& s) { s.*flag = true; }), Condition::Broken);
  EXPECT_EQ(stands([](S& s) { s.monitor = s.multi = true; }), Condition::Broken);
  EXPECT_EQ(stands([](S& s) { s.multi = s.queued_state = true; }), Condition::Broken);
  using Kind = Entry::Kind;
  for (const Kind kind : {Kind::Plain, Kind::Multi, Kind::Exec, Kind::Discard, Kind::Watch,
                          Kind::Unwatch, Kind::Redirect, Kind::Refused})
    EXPECT_EQ(stands([kind](S& s) { s.ledger.push({.kind = kind}); }), Condition::Open);
  for (const Kind kind :
       {Kind::Block, Kind::Select, Kind::Hello, Kind::Auth, Kind::Reset, Kind::Subscribe,
        Kind::UnsubscribeAll, Kind::Monitor, Kind::Track, Kind::Unknown, Kind::Probe})
    EXPECT_EQ(stands([kind](S& s) { s.ledger.push({.kind = kind}); }), Condition::Broken);
}

}  // namespace
}  // namespace weir::redis::script
