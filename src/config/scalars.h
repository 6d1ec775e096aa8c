// Texts of single values: numbers, durations, sizes, addresses; both ways.
#pragma once

#include <string>
#include <string_view>

#include <weir/config/load.h>

namespace weir::config {

constexpr Duration kDurationMax = 24 * 365 * kHour;

// Decimal digits only. False when it is something else or larger than `max`.
bool parse_whole(std::string_view text, int64_t max, int64_t& value);
bool parse_port(std::string_view text, uint16_t& port);
// host:port, [v6]:port, host or [v6]; without a port it stays as it was.
bool parse_host_port(std::string_view text, std::string& host, uint16_t& port);
// Percent-encoding. False on a broken escape and on %00.
bool percent_decode(std::string_view text, std::string& out);

std::string show_duration(Duration duration);
std::string show_size(size_t bytes);

}  // namespace weir::config
