// The Redis protocol, RESP2 ("Redis serialization protocol specification"), as a
// weir::protocol::Protocol. Made by app, used on any thread; outlives all that it makes.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/protocol/protocol.h>

namespace weir::redis {

std::unique_ptr<protocol::Protocol> make_protocol();

// LoginTarget::settings say which connection commands need: "name" or "name|subcommand", and one of
// these classes. Of the fixed ones nothing can be said; the second text says why.
std::vector<std::string> command_classes();
std::vector<std::pair<std::string, std::string>> fixed_commands();

}  // namespace weir::redis
