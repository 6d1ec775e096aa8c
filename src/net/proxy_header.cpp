// Version 2, section 2.2 of the document:
//
//   0            12    13     14        16          16 + length
//   | signature | 2/cmd | family | length | addresses | TLVs |
//
// A TLV is a type of one byte, a length of two, and as many bytes.
#include <array>
#include <charconv>
#include <string>

#include <weir/net/proxy_header.h>

namespace weir::net {

namespace {

using base::Bytes;

constexpr Bytes kLineStart = "PROXY ";
constexpr Bytes kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedBytes = 16;

base::Error broken(const char* what) {
  return {base::ErrorKind::Protocol, std::string("PROXY header: ") + what};
}

bool may_become(Bytes received, Bytes start) {
  return received.substr(0, start.size()) == start.substr(0, received.size());
}

// ---------------------------------------------------------------- version 1

// What stands before the next blank, which is taken too. Nothing where there is no blank.
Bytes take_word(Bytes& line) {
  const size_t blank = line.find(' ');
  if (blank == Bytes::npos) return {};
  const Bytes word = line.substr(0, blank);
  line.remove_prefix(blank + 1);
  return word;
}

bool read_port(Bytes text, uint16_t& port) {
  if (text.empty() || text.size() > 5 || (text[0] == '0' && text.size() > 1)) return false;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && stop == end;
}

bool read_line_address(Bytes text, bool is_v6, base::IpAddress& address) {
  const auto read = base::read_ip(text);
  if (!read || (text.find(':') != Bytes::npos) != is_v6) return false;
  address = read.value();
  return true;
}

base::Result<ProxyHeader> read_ends(Bytes line, bool is_v6, ProxyHeader header) {
  header.has_ends = true;
  if (!read_line_address(take_word(line), is_v6, header.source.address))
    return broken("no source address");
  if (!read_line_address(take_word(line), is_v6, header.destination.address))
    return broken("no destination address");
  if (!read_port(take_word(line), header.source.port)) return broken("no source port");
  if (!read_port(line, header.destination.port)) return broken("no destination port");
  return header;
}

base::Result<ProxyHeader> read_line(Bytes received) {
  if (received.size() < kLineStart.size()) return ProxyHeader{};
  const Bytes start = received.substr(0, kProxyLineBytesMax);
  const size_t end = start.find("\r\n");
  if (end == Bytes::npos) {
    if (start.size() == kProxyLineBytesMax) return broken("no end of the line in 107 bytes");
    return ProxyHeader{};
  }
  ProxyHeader header;
  header.size = end + 2;
  Bytes line = start.substr(kLineStart.size(), end - kLineStart.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return header;
  const Bytes family = take_word(line);
  if (family == "TCP4") return read_ends(line, false, header);
  if (family == "TCP6") return read_ends(line, true, header);
  return broken("not of TCP4, TCP6 or UNKNOWN");
}

// ---------------------------------------------------------------- version 2

// Only these pairs of family and transport exist. Section 2.2: a receiver may take what it does not
// support for UNSPEC; unix sockets and datagrams are that here.
struct Family {
  uint8_t code;
  uint8_t address_bytes;
  uint8_t block_bytes;
  bool is_tcp;
};
constexpr std::array<Family, 7> kFamilies{{{0x00, 0, 0, false},
                                           {0x11, 4, 12, true},
                                           {0x12, 4, 12, false},
                                           {0x21, 16, 36, true},
                                           {0x22, 16, 36, false},
                                           {0x31, 108, 216, false},
                                           {0x32, 108, 216, false}}};

const Family* family_of(char code) {
  for (const Family& family : kFamilies)
    if (family.code == static_cast<uint8_t>(code)) return &family;
  return nullptr;
}

bool tlvs_fit(Bytes rest) {
  while (!rest.empty()) {
    if (rest.size() < 3) return false;
    const size_t size = 3 + size_t{base::load_be16(rest.data() + 1)};
    if (size > rest.size()) return false;
    rest.remove_prefix(size);
  }
  return true;
}

void take_ends(Bytes block, const Family& family, ProxyHeader& header) {
  const size_t size = family.address_bytes;
  header.has_ends = true;
  header.source = {base::ip_of(block.substr(0, size)), base::load_be16(block.data() + 2 * size)};
  header.destination = {base::ip_of(block.substr(size, size)),
                        base::load_be16(block.data() + 2 * size + 2)};
}

base::Result<ProxyHeader> read_block(Bytes received) {
  ProxyHeader header;
  const bool is_local = received[12] == '\x20';
  const size_t length = base::load_be16(received.data() + 14);
  if (length > kProxyBlockBytesMax) return broken("too long");
  // Of a LOCAL connection, the family and all behind it are to be passed over (section 2.2).
  const Family* family = is_local ? &kFamilies[0] : family_of(received[13]);
  if (length < family->block_bytes) return broken("too short for its addresses");
  if (received.size() < kFixedBytes + length) return header;
  const Bytes block = received.substr(kFixedBytes, length);
  header.size = kFixedBytes + length;
  // Without a family nobody can say where the addresses end and the TLVs start.
  if (family->block_bytes == 0) return header;
  if (!tlvs_fit(block.substr(family->block_bytes))) return broken("a TLV goes beyond the end");
  if (family->is_tcp) take_ends(block, *family, header);
  return header;
}

base::Result<ProxyHeader> read_binary(Bytes received) {
  if (received.size() <= 12) return ProxyHeader{};
  if (received[12] != '\x20' && received[12] != '\x21')
    return broken("not of version 2, or neither LOCAL nor PROXY");
  if (received.size() == 13) return ProxyHeader{};
  if (received[12] == '\x21' && !family_of(received[13])) return broken("an unknown family");
  if (received.size() < kFixedBytes) return ProxyHeader{};
  return read_block(received);
}

}  // namespace

base::Result<ProxyHeader> read_proxy_header(Bytes received) {
  if (received.empty()) return ProxyHeader{};
  if (may_become(received, kSignature)) return read_binary(received);
  if (may_become(received, kLineStart)) return read_line(received);
  return broken("missing");
}

}  // namespace weir::net
