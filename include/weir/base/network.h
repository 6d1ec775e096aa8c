// IP addresses and networks, as texts and as bytes off a wire. Nobody is asked for a name. Values;
// any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/bytes.h>
#include <weir/base/result.h>

namespace weir::base {

// An IPv4 address inside IPv6 (::ffff:a.b.c.d) is the IPv4 address: read_ip and ip_of see to it.
struct IpAddress {
  std::array<uint8_t, 16> bytes = {};  // the first `size` of them; the others are zero
  uint8_t size = 4;                    // 4 or 16

  bool is_v4() const { return size == 4; }
  std::string text() const;  // "10.0.0.1", "2001:db8::1"
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// "10.0.0.1" with four numbers and no leading zeros, or IPv6 without a zone. Errors of kind Config.
Result<IpAddress> read_ip(std::string_view text);
// Of "10.0.0.1:5432" or "[::1]:5432", as streams name their peers; nullopt for anything else.
std::optional<IpAddress> address_of_peer(std::string_view peer);
// In network order; 4 bytes or 16, anything else is a bug.
IpAddress ip_of(Bytes address);

// The address keeps the bits behind the prefix: an interface's own address is told by them. What
// the network contains is decided by the others alone.
struct Network {
  IpAddress address;
  uint8_t prefix = 32;

  bool contains(const IpAddress& other) const;  // never one of the other family
  std::string text() const;                     // "10.0.0.0/8"
  friend bool operator==(const Network&, const Network&) = default;
};

// "10.0.0.0/8", "::1/128", or an address alone with all of its bits. Errors of kind Config.
Result<Network> read_network(std::string_view text);
// The mask in a column of its own, as pg_hba.conf has it: "10.0.0.0", "255.0.0.0".
Result<Network> read_network(std::string_view address, std::string_view mask);
// As an interface has them: 4 bytes each, or 16 each.
Result<Network> network_of(Bytes address, Bytes mask);

}  // namespace weir::base
