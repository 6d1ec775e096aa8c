// The beginning of a client's request, from a bounded part of its payload: enough to decide where
// it goes (MS-TDS 2.2.6.6 "RPC Request", 2.2.6.7 "SQLBatch", 2.2.6.9 "Transaction Manager Request",
// 2.2.5.3 "ALL_HEADERS"). All of a call is followed by CallWalker. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "packet.h"
#include "version.h"
#include "wire.h"

namespace weir::tds {

// Says whether something is there. More: not yet, `want` bytes are needed at least.
enum class Seen : uint8_t { More, Whole, Bad };

constexpr size_t kHeadersBytesMax = 64 * 1024;
// Of those that clients write.
constexpr size_t kTransactionHeadersBytes = 22;

// In front of types Batch, Rpc and TransactionManager since 7.2; never in front of others.
constexpr bool has_headers(PacketType type, Version version) {
  return is_since_72(version) && (type == PacketType::Batch || type == PacketType::Rpc ||
                                  type == PacketType::TransactionManager);
}

struct AllHeaders {
  Seen seen = Seen::More;
  size_t bytes = 0;  // of all of them; More: that are needed
  // Of the transaction that the request belongs to; 0: none. Eight bytes little-endian stand at
  // descriptor_at and may be written over.
  std::optional<uint64_t> descriptor;
  size_t descriptor_at = 0;
  uint32_t outstanding = 0;
};
AllHeaders read_all_headers(Bytes payload);
// As every client writes them: a transaction descriptor and nothing else.
void append_all_headers(std::string& out, uint64_t descriptor);

// 2.2.6.9, RequestType.
enum class TransactionAction : uint16_t {
  GetDtcAddress = 0,
  Propagate = 1,
  Begin = 5,
  Promote = 6,
  Commit = 7,
  Rollback = 8,
  Save = 9,
};
struct TransactionRequest {
  TransactionAction action{};
  uint8_t isolation = 0;      // of Begin, and of what begins at once: 0 keeps what is in force
  bool begins_again = false;  // behind Commit or Rollback
};

struct RequestHead {
  Seen seen = Seen::More;
  size_t want = 0;  // with More: of the payload
  AllHeaders headers;
  // Batch: the text so far as it is there, UTF-16LE. Rpc: the first call, for read_call_head().
  Bytes body;
  TransactionRequest transaction;  // TransactionManager
};
// `payload` is what has come of the message, `whole` whether that is all. What is whole but too
// short is Bad: a server will say so, whoever relays knows nothing of it. Of a batch or call Whole
// says that the headers are there.
RequestHead read_request_head(PacketType type, Version version, Bytes payload, bool whole);

}  // namespace weir::tds
