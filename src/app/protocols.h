// The one list of protocols: adding one is a line here. What config learns of them, and what
// sessions use.
#pragma once

#include <memory>
#include <vector>

#include <weir/base/intern.h>
#include <weir/config/load.h>
#include <weir/protocol/protocol.h>

namespace weir::app {

std::vector<std::unique_ptr<protocol::Protocol>> make_protocols(base::InternTable& texts);
std::vector<config::ProtocolDescriptor> protocol_descriptors();

}  // namespace weir::app
