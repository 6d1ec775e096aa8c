// Whoever relays allocates nothing for each row, and keeps nothing of a message that has ended; a
// text that sets nothing costs nothing either.
#include <cstdlib>
#include <new>

#include "calls.h"
#include "protocol/tds/sql_text.h"
#include "sql_text_table.h"
#include "tds_recordings.h"
#include "walks.h"

namespace {

size_t allocations = 0;  // of this program

}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace weir::tds {
namespace {

using script::LinkTalk;

// The payload of a server's last reply.
std::string last_reply_of(const std::string& name) {
  std::string out;
  for (const recordings::Recording& each : recordings::all()) {
    if (each.name != name) continue;
    PacketStream packets(Side::Server);
    for (Bytes in = each.server; !in.empty();) {
      const PacketStream::Run run = packets.next(in);
      if (run.begins_message) out.clear();
      out += run.payload;
      in.remove_prefix(run.bytes);
    }
  }
  return out;
}

template <class Walker, class Event>
size_t allocations_of(Walker& walker, const std::string& payload, size_t piece) {
  const size_t before = allocations;
  Event event;
  for (size_t at = 0; at < payload.size(); at += piece) {
    Bytes in = Bytes(payload).substr(at, piece);
    while (walker.next(in, event)) {
    }
  }
  walker.end_message();
  return allocations - before;
}

TEST(TdsAllocations, NoneForRows) {
  const std::string payload = last_reply_of("large_result");
  ASSERT_GT(payload.size(), 130'000U);
  TokenWalker walker(Version::V74);
  for (const size_t piece : {64 * 1024, 4088, 100, 7}) {
    EXPECT_LT((allocations_of<TokenWalker, TokenEvent>(walker, payload, piece)), 20U) << piece;
    EXPECT_EQ((allocations_of<TokenWalker, TokenEvent>(walker, payload, piece)), 0U) << piece;
  }
}

TEST(TdsAllocations, NoneForShortCalls) {
  std::string call;
  append_all_headers(call, 0);
  call += hand::hex("ffff 0c00 0000 00 00 2604 04 01000000") + hand::text8("@a_name") +
          hand::hex("00 2604 04 15000000");
  CallWalker walker(Version::V74);
  for (const size_t piece : {100, 7, 1}) {
    allocations_of<CallWalker, CallEvent>(walker, call, piece);
    EXPECT_EQ((allocations_of<CallWalker, CallEvent>(walker, call, piece)), 0U) << piece;
  }
}

TEST(TdsAllocations, NoneForTextsThatSetNothing) {
  size_t texts = 0;
  for (const auto& [text, words] : kBatches) {
    if (words.find('|') != std::string_view::npos) continue;
    const std::string utf16 = utf16_of(text);
    const size_t before = allocations;
    scan_sql(utf16);
    EXPECT_EQ(allocations - before, 0U) << text;
    ++texts;
  }
  EXPECT_GT(texts, 100U);
  std::string wide = "SELECT ";
  while (wide.size() < 2048) wide += "t.a_column AS [a name], ";
  const std::string utf16 = utf16_of(wide + "1 FROM t");
  const size_t before = allocations;
  EXPECT_EQ(scan_sql(utf16), SqlTraits{});
  EXPECT_EQ(allocations - before, 0U);
}

// One turn, with all that the session brings.
class Turns {
 public:
  explicit Turns(LinkTalk& talk) : talk_(talk) {}

  size_t allocations_of(const std::string& request, const std::string& answer) {
    const size_t before = allocations;
    ServerState& server = talk_.server();
    {
      Sink sink{to_client_, to_server_};
      const Progress progress = talk_.link().on_client(talk_.client, &server, request, sink);
      EXPECT_EQ(progress.consumed, request.size());
      EXPECT_EQ(to_server_.size(), request.size());
    }
    to_server_.clear();
    {
      Sink sink{to_client_, to_server_};
      const Progress progress = talk_.link().on_server(talk_.client, server, answer, sink);
      EXPECT_EQ(progress.consumed, answer.size());
      EXPECT_EQ(to_client_.size(), answer.size());
      EXPECT_TRUE(sink.hold_may_end);
      EXPECT_EQ(talk_.link().attach(talk_.client, server), nullptr);
    }
    to_client_.clear();
    return allocations - before;
  }

 private:
  LinkTalk& talk_;
  base::Gather to_client_, to_server_;
};

TEST(TdsAllocations, NoneForTurns) {
  LinkTalk talk;
  Turns turns(talk);
  const std::string select = links::batch("SELECT a, b, c FROM t WHERE a = 1 ORDER BY b");
  const std::string moved = links::batch("SELECT 1", {.descriptor = 0x0102030405060708});
  const std::string rows = links::reply(links::one_row());
  for (const std::string& request : {select, moved}) {
    turns.allocations_of(request, rows);
    EXPECT_EQ(turns.allocations_of(request, rows), 0U);
  }
}

// Under another number than the server's.
TEST(TdsAllocations, NoneForPreparedStatements) {
  LinkTalk talk;
  const Interned definition = talk.texts().intern(std::string(1, '\0') + "what it is");
  talk.client.handles = std::make_unique<Handles>();
  ASSERT_EQ(talk.client.handles->add(3, definition), 3);
  talk.server().handles.add(definition, 0x01020304);
  Turns turns(talk);
  const std::string call = links::calls({links::execute(3)});
  turns.allocations_of(call, links::call_reply());
  EXPECT_EQ(turns.allocations_of(call, links::call_reply()), 0U);
}

}  // namespace
}  // namespace weir::tds
