// A model server and a client with what stands between them and the link. Of redis_talk.h.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "model_redis.h"
#include "protocol/redis/link.h"

namespace weir::redis::script {

inline void check(bool holds) {
  if (!holds) std::abort();
}

inline std::string take(base::Gather& from) {
  std::string out;
  for (const iovec& piece : from.pieces())
    out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  from.clear();
  return out;
}

struct Server {
  ServerState state;
  std::unique_ptr<Connection> model;
  std::string coming;  // answers that are still under way
  std::string in;      // what the link wants to see again
  size_t want = 0;
  bool farewell = false;
  bool used = false;
};

struct Client {
  ClientState state;
  std::string in, out;
  std::string events;  // "lease" "end" "attach" "refused" "leave" "fail" "lost" "killed"
  size_t want = 0;
  Server* lease = nullptr;
  uint32_t turns = 0;             // that its lane owes
  bool in_lane_piece = false;     // half of an answer from its lane, or of a push, has come
  LaneKind on = LaneKind::Light;  // which lane it is on
  uint64_t lane_flavour = 0;      // of that one
  std::string kept;               // what it was told in the middle of an answer
  bool later = false;             // it waits for answers from its lane
  bool wants_roll = false;
  bool over = false;
};

}  // namespace weir::redis::script
