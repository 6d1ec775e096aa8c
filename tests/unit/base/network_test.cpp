// Addresses and networks from texts and from bytes.
#include <gtest/gtest.h>

#include <string>

#include <weir/base/network.h>

namespace weir::base {
namespace {

using namespace std::string_literals;

std::string ip_text(std::string_view text) {
  const auto ip = read_ip(text);
  return ip ? ip.value().text() : "error: " + ip.error().text;
}

std::string network_text(std::string_view text) {
  const auto network = read_network(text);
  return network ? network.value().text() : "error: " + network.error().text;
}

std::string network_text(std::string_view address, std::string_view mask) {
  const auto network = read_network(address, mask);
  return network ? network.value().text() : "error: " + network.error().text;
}

bool contains(std::string_view network, std::string_view address) {
  return read_network(network).value().contains(read_ip(address).value());
}

TEST(Network, AddressesThereAndBack) {
  EXPECT_EQ(ip_text("10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(ip_text("255.255.255.255"), "255.255.255.255");
  EXPECT_EQ(ip_text("::1"), "::1");
  EXPECT_EQ(ip_text("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
  EXPECT_EQ(read_ip("1.2.3.4").value(), ip_of("\1\2\3\4"));
  EXPECT_EQ(read_ip("::").value(), ip_of(std::string(16, '\0')));
}

TEST(Network, AMappedAddressIsTheIpv4Address) {
  EXPECT_EQ(ip_text("::ffff:10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(ip_text("::ffff:a01:203"), "10.1.2.3");
  EXPECT_EQ(read_ip("::ffff:10.1.2.3").value(), read_ip("10.1.2.3").value());
  EXPECT_EQ(ip_of("\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4"s).text(), "1.2.3.4");
  EXPECT_EQ(ip_text("::10.1.2.3"), "::10.1.2.3");  // the old form, which is IPv6
  EXPECT_EQ(ip_text("::fffe:10.1.2.3"), "::fffe:a01:203");
}

TEST(Network, WhatIsNotAnAddress) {
  for (const std::string text : {"",          " ",          "localhost",
                                 "10.0.0",    "10.0.0.1.2", "10.0.0.256",
                                 "10.0.0.01", "010.0.0.1",  "10.0.0.1 ",
                                 " 10.0.0.1", "0x0a.0.0.1", "10",
                                 "-1.0.0.1",  "1.2.3.4:5",  ":",
                                 ":::",       "1::2::3",    "fe80::1%eth0",
                                 "[::1]",     "12345::",    "1:2:3:4:5:6:7:8:9",
                                 "10.0.0.0/8"}) {
    EXPECT_EQ(ip_text(text),
              "error: expected an IP address such as 10.0.0.1 or ::1, not '" + text + "'");
  }
  EXPECT_EQ(read_ip("x").error().kind, ErrorKind::Config);
  EXPECT_FALSE(read_ip("10.0.0.1\0"s));
  EXPECT_FALSE(read_ip(std::string(100'000, '1')));
  EXPECT_EQ(ip_text("a\x1b[31m"),
            "error: expected an IP address such as 10.0.0.1 or ::1, not 'a?[31m'");
}

TEST(Network, Networks) {
  EXPECT_EQ(network_text("10.0.0.0/8"), "10.0.0.0/8");
  EXPECT_EQ(network_text("::1/128"), "::1/128");
  EXPECT_EQ(network_text("10.0.0.1"), "10.0.0.1/32");
  EXPECT_EQ(network_text("::1"), "::1/128");
  EXPECT_EQ(network_text("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(network_text("10.0.0.0/08"), "10.0.0.0/8");
  EXPECT_EQ(network_text("192.168.1.5/24"), "192.168.1.5/24");  // kept, not counted
}

TEST(Network, NetworksInsideMappedOnes) {
  EXPECT_EQ(network_text("::ffff:10.0.0.0/104"), "10.0.0.0/8");
  EXPECT_EQ(network_text("::ffff:10.0.0.1"), "10.0.0.1/32");
  EXPECT_EQ(network_text("::ffff:0.0.0.0/96"), "0.0.0.0/0");
  EXPECT_EQ(network_text("::ffff:10.0.0.0/8"),
            "error: expected a prefix of at least 96 behind ::ffff:10.0.0.0");
  EXPECT_EQ(network_text("::ffff:10.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ff00:0"), "10.0.0.0/8");
}

TEST(Network, PrefixesThatAreNone) {
  for (const std::string text :
       {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/ 8",
        "10.0.0.0/8/8", "10.0.0.0/0008", "10.0.0.0/x", "10.0.0.0/255.0.0.0"}) {
    EXPECT_EQ(network_text(text),
              "error: expected a prefix of 0 to 32 behind the / of '" + text + "'");
  }
  EXPECT_EQ(network_text("::/129"),
            "error: expected a prefix of 0 to 128 behind the / of '::/129'");
  EXPECT_EQ(network_text("db1/8"),
            "error: expected an IP address such as 10.0.0.1 or ::1, not 'db1'");
  EXPECT_EQ(network_text("/8"), "error: expected an IP address such as 10.0.0.1 or ::1, not ''");
}

TEST(Network, Masks) {
  EXPECT_EQ(network_text("10.1.2.3", "255.255.255.255"), "10.1.2.3/32");
  EXPECT_EQ(network_text("10.1.2.3", "255.240.0.0"), "10.1.2.3/12");
  EXPECT_EQ(network_text("0.0.0.0", "0.0.0.0"), "0.0.0.0/0");
  EXPECT_EQ(network_text("fe80::", "ffc0::"), "fe80::/10");
  EXPECT_EQ(network_text("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "::1/128");
  const std::string gap = "error: expected a mask with all of its ones in front";
  EXPECT_EQ(network_text("10.0.0.0", "255.0.255.0"), gap);
  EXPECT_EQ(network_text("10.0.0.0", "255.253.0.0"), gap);
  EXPECT_EQ(network_text("10.0.0.0", "0.0.0.255"), gap);
  EXPECT_EQ(network_text("::", "::1"), gap);
  EXPECT_EQ(network_text("10.0.0.0", "ffc0::"),
            "error: expected an address and a mask of the same kind, IPv4 or IPv6");
  EXPECT_EQ(network_text("10.0.0.0", "8"), "error: expected a mask such as 255.255.255.0, not '8'");
  EXPECT_EQ(network_text("10.0.0.0/8", "255.0.0.0"),
            "error: expected an IP address such as 10.0.0.1 or ::1, not '10.0.0.0/8'");
  EXPECT_EQ(network_of("\xc0\xa8\1\5"s, "\xff\xff\xff\0"s).value().text(), "192.168.1.5/24");
}

TEST(Network, ContainsByTheBitsInFront) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("10.9.9.9/8", "10.1.1.1"));  // bits behind the prefix do not count
  EXPECT_TRUE(contains("192.168.1.128/25", "192.168.1.255"));
  EXPECT_FALSE(contains("192.168.1.128/25", "192.168.1.127"));
  EXPECT_TRUE(contains("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(contains("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(contains("10.0.0.1", "10.0.0.1"));
  EXPECT_FALSE(contains("10.0.0.1", "10.0.0.2"));
  EXPECT_TRUE(contains("0.0.0.0/0", "255.255.255.255"));
  EXPECT_TRUE(contains("fe80::/10", "febf::1"));
  EXPECT_FALSE(contains("fe80::/10", "fec0::1"));
  EXPECT_TRUE(contains("::/0", "ffff::"));
}

TEST(Network, FamiliesDoNotMix) {
  EXPECT_FALSE(contains("0.0.0.0/0", "::1"));
  EXPECT_FALSE(contains("::/0", "10.0.0.1"));
  EXPECT_FALSE(contains("::/0", "::ffff:10.0.0.1"));
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
  EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.0.0.1"));
}

}  // namespace
}  // namespace weir::base
