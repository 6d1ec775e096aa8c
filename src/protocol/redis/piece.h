// What a server has sent, looked at: an answer, or something that nobody has asked for just now;
// and the few answers that weir reads. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "state.h"

namespace weir::redis {

// What begins in front of some bytes on a lease.
struct Seen {
  enum class Kind : uint8_t {
    More,
    Answer,
    Push,          // a message, an invalidation, a line of MONITOR: passes, answers nothing
    Confirmation,  // of a subscription, `bytes` long
    Surplus,       // nobody has asked for it
    Bad,
  };
  Kind kind = Kind::More;
  size_t bytes = 0;
};
Seen look(const ServerState& server, Bytes in);

// The head of a push that concerns subscriptions.
struct PushHead {
  enum class Kind : uint8_t { More, Message, Confirmation, Other };
  Kind kind = Kind::More;
  Hub::Kind topic = Hub::Kind::Channel;
  bool begins = true;  // Confirmation: of a subscription, not of its end
  Bytes name;          // of the channel or pattern
};
PushHead read_push(Bytes in);

// The length of an answer that is there as a whole; 0: it is not.
struct Measure {
  size_t bytes = 0;
  bool bad = false;  // also: longer than weir wants to keep
};
Measure measure_answer(Bytes in);

// Keeps the count; says how many of that kind there were before.
int64_t note_confirmation(Bytes confirmation, Subscriptions& subscriptions);

// Where the digits of "id" stand in the answer to HELLO; both 0: nowhere.
std::pair<size_t, size_t> find_id(Bytes answer);
// The same for a client in the answer to CLIENT GETREDIR or TRACKINGINFO.
std::pair<size_t, size_t> find_redirect(Bytes answer);

// The answer to CLIENT INFO.
struct Info {
  int64_t database = 0;
  int resp = 2;
  Subscriptions subscriptions;
  bool monitor = false;
  bool tracking = false;
  std::string name, user;
};
std::optional<Info> read_info(Bytes answer);

}  // namespace weir::redis
