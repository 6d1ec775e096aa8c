// Big-endian integers, and the list of pieces for one send.
#include <gtest/gtest.h>

#include <string>

#include <weir/base/bytes.h>
#include <weir/base/gather.h>
#include <weir/base/result.h>

namespace weir::base {
namespace {

TEST(Bytes, BigEndianThereAndBack) {
  std::string out;
  append_be16(out, 0xfffe);
  append_be32(out, 0x80000001);
  append_be64(out, 0x8000000000000001);
  EXPECT_EQ(out, std::string("\xff\xfe\x80\0\0\x01\x80\0\0\0\0\0\0\x01", 14));
  EXPECT_EQ(load_be16(out.data()), 0xfffe);
  EXPECT_EQ(load_be32(out.data() + 2), 0x80000001);
  EXPECT_EQ(load_be64(out.data() + 6), 0x8000000000000001);
}

std::string joined(const Gather& gather) {
  std::string out;
  for (const iovec& piece : gather.pieces())
    out.append(static_cast<char*>(piece.iov_base), piece.iov_len);
  return out;
}

TEST(Gather, JoinsNeighboursAndKeepsTheOrder) {
  const std::string received = "abcdefgh";
  const Bytes view = received;
  Gather gather;
  gather.add(view.substr(0, 3));
  gather.add({});
  gather.add(view.substr(3, 2));
  EXPECT_EQ(gather.pieces().size(), 1u);
  gather.add_copy(std::string("12"));
  gather.add_copy(std::string("34"));
  EXPECT_EQ(gather.pieces().size(), 2u);
  gather.add(view.substr(6));
  EXPECT_EQ(joined(gather), "abcde1234gh");
  EXPECT_EQ(gather.size(), 11u);
  gather.clear();
  EXPECT_TRUE(gather.empty());
  EXPECT_EQ(gather.size(), 0u);
  gather.add_copy("again");
  EXPECT_EQ(joined(gather), "again");
}

TEST(Gather, SaysWhenItIsFullAndTakesTheRestAllTheSame) {
  Gather gather;
  EXPECT_TRUE(gather.has_room(Gather::kArenaBytes));
  EXPECT_FALSE(gather.has_room(Gather::kArenaBytes + 1));
  const std::string apart = "a.b.";
  std::string expected;
  while (gather.has_room(0)) {
    gather.add(Bytes(apart).substr(expected.size() % 2 * 2, 1));
    expected += apart[expected.size() % 2 * 2];
  }
  EXPECT_LE(gather.pieces().size(), Gather::kPieces);
  for (int i = 0; i < 3; ++i) {
    const std::string copy(Gather::kArenaBytes - 1, static_cast<char>('x' + i));
    gather.add_copy(copy);
    expected += copy;
  }
  EXPECT_EQ(joined(gather), expected);
  EXPECT_EQ(gather.size(), expected.size());
}

TEST(Result, ValueOrError) {
  const Result<int> good = 7;
  const Result<int> bad = Error{ErrorKind::Timeout, "too late"};
  EXPECT_TRUE(good);
  EXPECT_EQ(good.value(), 7);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().text, "too late");
  EXPECT_TRUE(ok());
}

}  // namespace
}  // namespace weir::base
