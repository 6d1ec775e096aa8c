#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cctype>
#include <charconv>
#include <optional>

#include <weir/base/network.h>

namespace weir::base {

namespace {

constexpr std::string_view kMappedBytes("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
constexpr int kMappedBits = 96;

Error refused(std::string text) { return {ErrorKind::Config, std::move(text)}; }

// The bytes as the text has them: 4, 16, or none where it is not an address.
std::string raw_address(std::string_view text) {
  char bytes[sizeof(in6_addr)];
  const std::string terminated(text);
  if (terminated.size() >= INET6_ADDRSTRLEN || terminated.find('\0') != std::string::npos)
    return {};
  if (inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return {bytes, 4};
  if (inet_pton(AF_INET6, terminated.c_str(), bytes) == 1) return {bytes, 16};
  return {};
}

// Texts come from files and command lines: cut, and nothing that would upset a terminal.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, 60));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return out;
}

Error not_an_address(std::string_view text) {
  return refused(
      fmt::format("expected an IP address such as 10.0.0.1 or ::1, not '{}'", shown(text)));
}

// The number of ones in front, when there are only zeros behind them.
std::optional<int> prefix_of(Bytes mask) {
  int ones = 0;
  bool ended = false;
  for (const char c : mask) {
    const auto byte = static_cast<uint8_t>(c);
    const int front = std::countl_one(byte);
    if ((ended && byte != 0) || std::popcount(byte) != front) return std::nullopt;
    ones += front;
    ended = front < 8;
  }
  return ones;
}

Result<Network> network_with(Bytes address, int prefix) {
  Network network{ip_of(address), static_cast<uint8_t>(prefix)};
  if (address.size() == 4 || network.address.size == 16) return network;
  if (prefix < kMappedBits)
    return refused(fmt::format("expected a prefix of at least {} behind ::ffff:{}", kMappedBits,
                               network.address.text()));
  network.prefix = static_cast<uint8_t>(prefix - kMappedBits);
  return network;
}

std::optional<int> read_prefix(std::string_view text, size_t address_bytes) {
  int prefix = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || text.size() > 3 || !std::isdigit(static_cast<unsigned char>(text[0])))
    return std::nullopt;
  const auto [stop, error] = std::from_chars(text.data(), end, prefix);
  if (error != std::errc() || stop != end || prefix > static_cast<int>(address_bytes * 8))
    return std::nullopt;
  return prefix;
}

}  // namespace

IpAddress ip_of(Bytes address) {
  assert(address.size() == 4 || address.size() == 16);
  if (address.size() == 16 && address.starts_with(kMappedBytes))
    address.remove_prefix(kMappedBytes.size());
  IpAddress out;
  out.size = address.size() == 16 ? 16 : 4;
  std::memcpy(out.bytes.data(), address.data(), out.size);
  return out;
}

Result<IpAddress> read_ip(std::string_view text) {
  const std::string raw = raw_address(text);
  if (raw.empty()) return not_an_address(text);
  return ip_of(raw);
}

std::string IpAddress::text() const {
  char out[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes.data(), out, sizeof out);
  return out;
}

bool Network::contains(const IpAddress& other) const {
  if (other.size != address.size) return false;
  const size_t whole = prefix / 8;
  if (!std::equal(other.bytes.begin(), other.bytes.begin() + whole, address.bytes.begin()))
    return false;
  const int rest = prefix % 8;
  return rest == 0 || (other.bytes[whole] ^ address.bytes[whole]) >> (8 - rest) == 0;
}

std::string Network::text() const { return fmt::format("{}/{}", address.text(), prefix); }

Result<Network> read_network(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string raw = raw_address(text.substr(0, slash));
  if (raw.empty()) return not_an_address(text.substr(0, slash));
  const int bits = static_cast<int>(raw.size() * 8);
  if (slash == std::string_view::npos) return network_with(raw, bits);
  const auto prefix = read_prefix(text.substr(slash + 1), raw.size());
  if (!prefix)
    return refused(
        fmt::format("expected a prefix of 0 to {} behind the / of '{}'", bits, shown(text)));
  return network_with(raw, *prefix);
}

Result<Network> read_network(std::string_view address, std::string_view mask) {
  const std::string raw = raw_address(address);
  if (raw.empty()) return not_an_address(address);
  const std::string raw_mask = raw_address(mask);
  if (raw_mask.empty())
    return refused(fmt::format("expected a mask such as 255.255.255.0, not '{}'", shown(mask)));
  return network_of(raw, raw_mask);
}

Result<Network> network_of(Bytes address, Bytes mask) {
  if (address.size() != mask.size())
    return refused("expected an address and a mask of the same kind, IPv4 or IPv6");
  const auto prefix = prefix_of(mask);
  if (!prefix) return refused("expected a mask with all of its ones in front");
  return network_with(address, *prefix);
}

std::optional<IpAddress> address_of_peer(std::string_view peer) {
  const size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = peer.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  auto address = read_ip(host);
  return address ? std::optional(*address) : std::nullopt;
}

}  // namespace weir::base
