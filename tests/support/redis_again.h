// A client that is logged in and says that it is somebody else, with the password "secret".
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

#include "protocol/redis/state.h"

namespace weir::redis::script {

// Who it is then; nothing: who it was. Takes its words out of `in`.
inline std::optional<std::string> greet_again(const protocol::Protocol& protocol,
                                              ClientState& client, std::string& in,
                                              std::string& out) {
  const auto greeting = protocol.greet_again(client);
  const auto take = [&in](protocol::Dialogue::Result result) {
    in.erase(0, result.consumed);
    return result.step;
  };
  protocol::Step step = take(greeting->feed(in, out));
  protocol::Admission admission;
  admission.secret = "secret";
  if (step == protocol::Step::Ask) step = take(greeting->admit(admission, out));
  if (step == protocol::Step::Wait) return std::nullopt;
  if (step != protocol::Step::NeedServer) std::abort();
  const auto facts = protocol.facts();
  if (take(greeting->welcome(*facts, nullptr, out)) != protocol::Step::Done) std::abort();
  client = static_cast<ClientState&>(*greeting->take_client());
  return greeting->request().user;
}

}  // namespace weir::redis::script
