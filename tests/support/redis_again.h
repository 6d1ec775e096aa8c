// A client that is logged in and says that it is somebody else, with the password "secret".
#pragma once

#include <cstdlib>
#include <string>

#include "protocol/redis/state.h"

namespace weir::redis::script {

struct Words {
  std::string &in, &out, &events;
};

// False: nothing is left of its words.
inline bool log_in_again(const protocol::Protocol& protocol, ClientState& client,
                         const Words& words) {
  const auto greeting = protocol.greet_again(client);
  const auto take = [&words](protocol::Dialogue::Result result) {
    words.in.erase(0, result.consumed);
    return result.step;
  };
  protocol::Step step = take(greeting->feed(words.in, words.out));
  protocol::Admission admission;
  admission.secret = "secret";
  if (step == protocol::Step::Ask) step = take(greeting->admit(admission, words.out));
  if (step == protocol::Step::Wait) {
    words.events += " refused";
    return !words.in.empty();
  }
  if (step != protocol::Step::NeedServer) std::abort();
  const auto facts = protocol.facts();
  if (take(greeting->welcome(*facts, nullptr, words.out)) != protocol::Step::Done) std::abort();
  client = static_cast<ClientState&>(*greeting->take_client());
  words.events += " " + greeting->request().user;
  return !words.in.empty();
}

}  // namespace weir::redis::script
