// Whoever relays allocates nothing for each row, and keeps nothing of a message that has ended; a
// text that sets nothing costs nothing either.
#include <cstdlib>
#include <new>

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

}  // namespace
}  // namespace weir::tds
