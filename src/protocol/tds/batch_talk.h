// SQL batches of weir's own, one behind the other, whose rows do not matter. An error in one is the
// dialogue's failure (Refused, in the server's words), told when its reply has ended, so that the
// server stays usable when the caller can live with the error. Owned by whoever runs it; the server
// outlives it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "reply_reader.h"

namespace weir::tds {

struct OwnBatch {
  std::string text;  // UTF-8
  // Its packet carries RESETCONNECTION, which has to be acknowledged (MS-TDS 2.2.3.1.2).
  bool resets = false;
  std::function<void()> then = nullptr;  // when it has been answered without an error
  uint64_t rows_min = 0;
};

class BatchTalk final : public protocol::Dialogue {
 public:
  static constexpr size_t kReplyBytesMax = 64 << 20;  // of all its replies

  BatchTalk(ServerState& server, std::vector<OwnBatch> batches)
      : server_(server), batches_(std::move(batches)), reader_(server, kReplyBytesMax) {}

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  Result on_end() override;

 private:
  void say(std::string& send);
  void on_event(const TokenEvent& event);
  std::optional<Error> judge(const ReplyReader::Walked& reply) const;

  ServerState& server_;
  std::vector<OwnBatch> batches_;
  size_t done_ = 0;  // of them
  ReplyReader reader_;
  std::string refusal_;  // the first ERROR of the reply
  bool has_error_ = false;
  bool is_stray_ = false;  // the reply is to something else
};

}  // namespace weir::tds
