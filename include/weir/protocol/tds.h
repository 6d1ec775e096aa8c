// SQL Server's protocol, TDS 7.1 to 8.0 ([MS-TDS]), as a weir::protocol::Protocol. Made by app;
// outlives all that it makes.
#pragma once

#include <memory>

#include <weir/base/intern.h>
#include <weir/protocol/protocol.h>

namespace weir::tds {

// `texts` holds sets of settings and the texts of prepared statements; it outlives the protocol.
std::unique_ptr<protocol::Protocol> make_protocol(base::InternTable& texts);

}  // namespace weir::tds
