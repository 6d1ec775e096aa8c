// The PROXY protocol's header: every split of it, what may follow it, and what is none.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <weir/net/proxy_header.h>

namespace weir::net {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string outcome_text(const base::Result<ProxyHeader>& read) {
  if (!read) return "error: " + read.error().text;
  const ProxyHeader& header = read.value();
  if (header.size == 0) return "more";
  std::string out = std::to_string(header.size);
  for (const ProxyEnd& end : {header.source, header.destination})
    if (header.has_ends) out += " " + end.address.text() + " " + std::to_string(end.port);
  return out;
}

// What becomes of bytes that come one by one: more are wanted until the answer is there, and then
// it stays, whatever follows. All at once they have the same answer.
std::string outcome(const std::string& bytes) {
  const std::string at_once = outcome_text(read_proxy_header(bytes));
  std::string answer = "more";
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const std::string now = outcome_text(read_proxy_header(base::Bytes(bytes).substr(0, size)));
    if (answer != "more") {
      EXPECT_EQ(now, answer) << size << " bytes of " << bytes;
    }
    answer = now;
  }
  EXPECT_EQ(answer, at_once);
  for (const std::string& behind : {"x"s, "\0\0\0\x08\x04\xd2\x16\x2f"s, "\r\n"s, bytes}) {
    if (at_once != "more") {
      EXPECT_EQ(outcome_text(read_proxy_header(bytes + behind)), at_once);
    }
  }
  return answer;
}

std::string line(const std::string& rest) { return outcome("PROXY " + rest + "\r\n"); }

std::string number(size_t value) {
  std::string out;
  base::append_be16(out, static_cast<uint16_t>(value));
  return out;
}

// A header of version 2 with its length right.
std::string block(char command, char family, const std::string& rest) {
  return kSignature + command + family + number(rest.size()) + rest;
}
std::string relayed(char family, const std::string& rest) {
  return outcome(block('\x21', family, rest));
}

const std::string kFour = "\x0a\x00\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb"s;
const std::string kSix = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01" +
                         std::string(15, '\0') + "\x01" + "\xdc\x04\x01\xbb";
std::string tlv(char type, const std::string& value) { return type + number(value.size()) + value; }

TEST(ProxyHeader, LinesOfTcp) {
  EXPECT_EQ(line("TCP4 192.168.0.1 192.168.0.11 56324 443"),
            "47 192.168.0.1 56324 192.168.0.11 443");
  EXPECT_EQ(line("TCP4 255.255.255.255 255.255.255.255 65535 65535"),
            "56 255.255.255.255 65535 255.255.255.255 65535");
  EXPECT_EQ(line("TCP4 0.0.0.0 0.0.0.0 0 0"), "32 0.0.0.0 0 0.0.0.0 0");
  EXPECT_EQ(line("TCP6 2001:db8::1 ::1 56324 5432"), "39 2001:db8::1 56324 ::1 5432");
  const std::string longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  EXPECT_EQ(line("TCP6 " + longest + " " + longest + " 65535 65535"),
            "104 " + longest + " 65535 " + longest + " 65535");
  EXPECT_EQ(line("TCP6 ::ffff:10.0.0.1 ::FFFF:a00:2 1 2"), "45 10.0.0.1 1 10.0.0.2 2");
}

TEST(ProxyHeader, LinesOfTheUnknown) {
  EXPECT_EQ(line("UNKNOWN"), "15");
  EXPECT_EQ(line("UNKNOWN "), "16");
  EXPECT_EQ(line("UNKNOWN ffff::1 \r or \n whatever"), "39");
  EXPECT_EQ(line("UNKNOWN " + std::string(91, 'x')), "107");
  EXPECT_EQ(line("UNKNOWN " + std::string(92, 'x')),
            "error: PROXY header: no end of the line in 107 bytes");
  EXPECT_EQ(line("UNKNOWNS"), "error: PROXY header: not of TCP4, TCP6 or UNKNOWN");
  EXPECT_EQ(line(" UNKNOWN"), "error: PROXY header: not of TCP4, TCP6 or UNKNOWN");
}

TEST(ProxyHeader, LinesOfOtherFamilies) {
  for (const char* text : {"", " ", "TCP", "TCP5 1.1.1.1 1.1.1.1 1 1", "tcp4 1.1.1.1 1.1.1.1 1 1",
                           "UDP4 1.1.1.1 1.1.1.1 1 1", "TCP4", "unknown", "TCP6"}) {
    EXPECT_EQ(line(text), "error: PROXY header: not of TCP4, TCP6 or UNKNOWN") << text;
  }
}

TEST(ProxyHeader, LinesWithoutAnAddress) {
  for (const char* text :
       {"TCP4 ", "TCP4 1.1.1.1", "TCP4  1.1.1.1 1.1.1.1 1 1", "TCP4 ::1 ::1 1 1",
        "TCP4 1.1.1 1.1.1.1 1 1", "TCP4 01.1.1.1 1.1.1.1 1 1", "TCP4 1.1.1.256 1.1.1.1 1 1",
        "TCP4 localhost 1.1.1.1 1 1", "TCP6 1.1.1.1 ::1 1 1", "TCP6 ::1%lo ::1 1 1",
        "TCP6 [::1] ::1 1 1", "TCP4\t1.1.1.1 1.1.1.1 1 1 1", "TCP4 1.1.1.1\t1.1.1.1 1 1"}) {
    const std::string said = line(text);
    EXPECT_TRUE(said == "error: PROXY header: no source address" ||
                said == "error: PROXY header: not of TCP4, TCP6 or UNKNOWN")
        << text << ": " << said;
  }
  for (const char* text : {"TCP4 1.1.1.1 ", "TCP4 1.1.1.1 1.1.1.1", "TCP4 1.1.1.1  1.1.1.1 1 1",
                           "TCP4 1.1.1.1 ::1 1 1", "TCP6 ::1 1.1.1.1 1 1", "TCP6 ::1 ::g 1 1"}) {
    EXPECT_EQ(line(text), "error: PROXY header: no destination address") << text;
  }
}

TEST(ProxyHeader, LinesWithoutAPort) {
  for (const char* ports : {"x 1", " 1", "+1 1", "-1 1", "65536 1", "00 1", "01 1", "000001 1",
                            "99999 1", "1.0 1", "0x1 1", "1\t1 1", "1"}) {
    EXPECT_EQ(line("TCP4 1.1.1.1 2.2.2.2 "s + ports), "error: PROXY header: no source port")
        << ports;
  }
  for (const char* ports :
       {"1 ", "1 x", "1 65536", "1 1 ", "1 1 1", "1 08", "1  1", "1 1\r", "1 1\n", "1 -0"}) {
    EXPECT_EQ(line("TCP4 1.1.1.1 2.2.2.2 "s + ports), "error: PROXY header: no destination port")
        << ports;
  }
  EXPECT_EQ(outcome("PROXY TCP4 1.1.1.1 2.2.2.2 1 \0001\r\n"s),
            "error: PROXY header: no destination port");
}

TEST(ProxyHeader, ALineEndsWithBothBytes) {
  const std::string rest = "PROXY TCP4 1.1.1.1 2.2.2.2 1 2";
  EXPECT_EQ(outcome(rest), "more");
  EXPECT_EQ(outcome(rest + "\n"), "more");  // as it would be without it: 107 bytes are the end
  EXPECT_EQ(outcome(rest + "\r"), "more");
  EXPECT_EQ(outcome(rest + "\n\r"), "more");
  EXPECT_EQ(outcome(rest + "\n" + std::string(100, 'x')),
            "error: PROXY header: no end of the line in 107 bytes");
  EXPECT_EQ(outcome(rest + "\nSELECT 1\r\n"), "error: PROXY header: no destination port");
  EXPECT_EQ(outcome("PROXY " + std::string(100, '\r') + "\n"),
            "error: PROXY header: not of TCP4, TCP6 or UNKNOWN");
  EXPECT_EQ(outcome("PROXY " + std::string(101, '\r') + "\n"),
            "error: PROXY header: no end of the line in 107 bytes");
}

TEST(ProxyHeader, OtherBytesAreRefusedAtTheFirstThatIsWrong) {
  const std::string missing = "error: PROXY header: missing";
  const std::vector<std::string> others = {"GET / HTTP/1.1\r\n",
                                           "\0\0\0\x08\x04\xd2\x16\x2f"s,
                                           "\x16\x03\x01",
                                           "*1\r\n$4\r\nPING\r\n",
                                           "proxy TCP4",
                                           "PROXX",
                                           "PROXY\tTCP4",
                                           "PROXYTCP4",
                                           "\r\n\r\n\1",
                                           "\n",
                                           "\r\r",
                                           " PROXY "};
  for (const std::string& bytes : others) EXPECT_EQ(outcome(bytes), missing) << bytes;
  for (size_t i = 0; i < kSignature.size(); ++i) {
    std::string bytes = kSignature.substr(0, i + 1);
    ++bytes[i];
    EXPECT_EQ(outcome(bytes), missing) << i;
  }
  EXPECT_EQ(outcome("P"), "more");
  EXPECT_EQ(outcome("PROXY "), "more");
  EXPECT_EQ(outcome(kSignature), "more");
  EXPECT_EQ(outcome(""), "more");
}

TEST(ProxyHeader, BlocksOfTcp) {
  EXPECT_EQ(relayed('\x11', kFour), "28 10.0.0.1 56324 192.168.0.11 443");
  EXPECT_EQ(relayed('\x21', kSix), "52 2001:db8::1 56324 ::1 443");
  const std::string mapped = std::string(10, '\0') + "\xff\xff\x0a\x00\x00\x01"s;
  EXPECT_EQ(relayed('\x21', mapped + mapped + "\0\1\0\2"s), "52 10.0.0.1 1 10.0.0.1 2");
}

TEST(ProxyHeader, BlocksThatTellNoEnds) {
  EXPECT_EQ(outcome(block('\x20', '\x00', "")), "16");
  EXPECT_EQ(outcome(block('\x20', '\x11', "xy")), "18");  // LOCAL: what follows is passed over
  EXPECT_EQ(outcome(block('\x20', '\x77', kFour)), "28");
  EXPECT_EQ(relayed('\x00', ""), "16");
  EXPECT_EQ(relayed('\x00', "whatever"), "24");
  EXPECT_EQ(relayed('\x12', kFour), "28");
  EXPECT_EQ(relayed('\x22', kSix), "52");
  EXPECT_EQ(relayed('\x31', std::string(216, '/')), "232");
  EXPECT_EQ(relayed('\x32', std::string(216, '/') + tlv('\x04', "")), "235");
}

TEST(ProxyHeader, OtherVersionsCommandsAndFamilies) {
  for (int command = 0; command < 256; ++command) {
    const std::string said = outcome(block(static_cast<char>(command), '\x11', kFour));
    if (command == 0x20 || command == 0x21) continue;
    EXPECT_EQ(said, "error: PROXY header: not of version 2, or neither LOCAL nor PROXY") << command;
  }
  int known = 0;
  for (int family = 0; family < 256; ++family) {
    const std::string said = relayed(static_cast<char>(family), std::string(216, '\0'));
    if (said == "232" || said.starts_with("232 ")) {
      ++known;
    } else {
      EXPECT_EQ(said, "error: PROXY header: an unknown family") << family;
    }
  }
  EXPECT_EQ(known, 7);
}

TEST(ProxyHeader, BlocksThatAreTooShortOrTooLong) {
  const std::string too_short = "error: PROXY header: too short for its addresses";
  for (const auto& [family, size] : {std::pair{'\x11', 12},
                                     {'\x12', 12},
                                     {'\x21', 36},
                                     {'\x22', 36},
                                     {'\x31', 216},
                                     {'\x32', 216}}) {
    const std::string rest(static_cast<size_t>(size), '\0');
    EXPECT_NE(relayed(family, rest), too_short);
    EXPECT_EQ(relayed(family, rest.substr(1)), too_short);
    EXPECT_EQ(relayed(family, ""), too_short);
  }
  EXPECT_EQ(relayed('\x00', std::string(4096, 'x')), "4112");
  EXPECT_EQ(relayed('\x00', std::string(4097, 'x')), "error: PROXY header: too long");
  // Told by the length alone, before any of it has come.
  const std::string head = kSignature + "\x21\x11";
  EXPECT_EQ(outcome(head + "\x10\x01"), "error: PROXY header: too long");
  EXPECT_EQ(outcome(head + "\xff\xff"), "error: PROXY header: too long");
  EXPECT_EQ(outcome(head + "\0\x0b"s), too_short);
  EXPECT_EQ(outcome(kSignature + "\x20\x00\xff\xff"s), "error: PROXY header: too long");
}

TEST(ProxyHeader, TlvsArePassedOverAndHaveToFit) {
  EXPECT_EQ(relayed('\x11', kFour + tlv('\x04', "")), "31 10.0.0.1 56324 192.168.0.11 443");
  EXPECT_EQ(relayed('\x11', kFour + tlv('\x03', "\1\2\3\4") + tlv('\x02', "db.example") +
                                tlv('\xe0', std::string(300, 'x'))),
            "351 10.0.0.1 56324 192.168.0.11 443");
  const std::string all = kFour + tlv('\x05', std::string(4081, 'x'));
  EXPECT_EQ(relayed('\x11', all), "4112 10.0.0.1 56324 192.168.0.11 443");
  const std::string beyond = "error: PROXY header: a TLV goes beyond the end";
  EXPECT_EQ(relayed('\x11', kFour + "\x04"), beyond);
  EXPECT_EQ(relayed('\x11', kFour + "\x04\x00"s), beyond);
  EXPECT_EQ(relayed('\x11', kFour + "\x04\x00\x01"s), beyond);
  EXPECT_EQ(relayed('\x21', kSix + "\x04\xff\xff\x01"), beyond);
  EXPECT_EQ(relayed('\x31', std::string(216, '/') + "x"), beyond);
  EXPECT_EQ(relayed('\x11', kFour + tlv('\x04', "") + "\x04\x00\x02x"s), beyond);
}

}  // namespace
}  // namespace weir::net
