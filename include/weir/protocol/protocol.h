// What every protocol gives to weir, and all that `session` knows of it. Pure: bytes in, values and
// bytes out; no sockets, files, threads, clock, environment or log. docs/interfaces.md walks
// through it.
//
//   Greeting   a new client says who it is and is authenticated (a Dialogue with the client)
//   Login      weir opens a server connection                   (a Dialogue with the server)
//   Link       the relay: judges every run of bytes between the two as long as the client lives
//   Dialogues  attach, reset, check, recover, cancel: short talks with a server between two holds
//
// Greeting, Login and the dialogues stand in dialogues.h, Link in relay.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <weir/protocol/dialogues.h>
#include <weir/protocol/relay.h>

namespace weir::protocol {

// One per protocol, made by app/protocols.cpp.
class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual std::string_view name() const = 0;
  virtual const Link& link() const = 0;
  // Null: this protocol has none, its link never says NeedLane.
  // tidy(shared-interface): goes with Lanes
  virtual const Lanes* lanes() const { return nullptr; }
  // Whose variant this is has said that it will only read.
  virtual bool reads_only(uint64_t /*variant*/) const { return false; }
  virtual std::unique_ptr<Greeting> greet(const GreetingOptions& options) const = 0;
  // For one that is logged in and says that it is somebody else: take_client() is the same client
  // then. One command is judged; Wait: it has been refused.
  // tidy(shared-interface): only Redis lets a client log in again
  virtual std::unique_ptr<Greeting> greet_again(const ClientState&) const { return nullptr; }
  virtual std::unique_ptr<Login> login(const LoginTarget& target) const = 0;
  virtual std::unique_ptr<Facts> facts() const = 0;
  virtual std::unique_ptr<Dialogue> query(const std::string& text,
                                          ServerState& server) const = 0;  // connect_query
  // Null: this protocol has none.
  // tidy(shared-interface): users are looked up in PostgreSQL (auth.query)
  virtual std::unique_ptr<Lookup> lookup(const std::string& /*text*/,
                                         const std::string& /*argument*/,
                                         ServerState& /*server*/) const {
    return nullptr;
  }
};

}  // namespace weir::protocol
