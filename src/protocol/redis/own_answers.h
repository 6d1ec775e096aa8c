// What weir answers by itself, as it alone knows: of the client's connection, not of a server's.
// Texts as Redis 7.0.15 gives them (networking.c). Pure functions, any thread.
#pragma once

#include <optional>
#include <string>

#include "state.h"

namespace weir::redis {

// What a client is told in place of a command that weir does not let through.
constexpr Bytes kRefusal = "-ERR weir: this command is not possible on a pooled connection\r\n";

enum class ClientWord : uint8_t {
  Id,
  GetName,
  SetName,
  SetInfo,
  NoEvict,
  NoTouch,
  Reply,    // to Reply weir answers by itself
  Roll,     // and to this, when it knows of the other clients
  Others,   // the same, if the server lets its user do so
  Unblock,  // from here on a server does
  Track,
  TrackTo,   // another client
  Redirect,  // says to which
  Lease,     // says or does something to the connection that does not outlast it
  Unknown,
};
ClientWord client_word(const Request& request);
constexpr bool is_own(ClientWord word) { return word <= ClientWord::Reply; }

// Carries out one of weir's own; empty: there is no answer.
std::string answer_client(ClientState& client, const Request& request);
// Back to the start: what RESET does to what weir keeps.
void reset(ClientState& client);

// Whether it is to get the answer to its next command: CLIENT REPLY.
bool wants_answer(ClientState& client);

bool is_client_name(Bytes name);

// HELLO as a client has sent it.
struct Hello {
  int64_t version = 0;  // 0: it does not ask for one
  bool has_auth = false;
  bool has_options = false;
  std::optional<std::string> name;
};
// Nothing: a server says what is wrong with it.
std::optional<Hello> read_hello(const Request& request);

}  // namespace weir::redis
