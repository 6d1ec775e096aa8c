// What the walkers make of bytes: at once, byte by byte and at every split, always the same.
#pragma once

#include "bytes.h"
#include "tds_talk.h"

namespace weir::tds::hand {

using script::show;

// COLMETADATA since 7.2: types are TYPE_INFOs; text types bring their table's name along.
inline std::string columns(const std::vector<std::string>& types) {
  std::string out = hex("81") + le(static_cast<uint16_t>(types.size()));
  for (const std::string& type : types) out += hex("00000000 0900") + type + text8("c");
  return out;
}

inline std::string row(const std::string& values) { return hex("d1") + values; }

inline std::string done(uint16_t status, uint64_t count = 0, Version version = Version::V74) {
  std::string out;
  append_done(out, version, {status, 0xc1, count});
  return out;
}

inline std::string env(EnvKind kind, const std::string& new_value, const std::string& old_value) {
  std::string out;
  append_env_change(out, {kind, new_value, old_value});
  return out;
}

// The words of a walk, with the end of the message as its last one.
template <class Walker, class Event, class End>
class Walk {
 public:
  Walk(Version version, End end) : walker(version), end_(end) {}

  void feed(Bytes piece) {
    for (Event event; walker.next(piece, event);) {
      said += show(event) + "; ";
      script::add(digest, event);
    }
    EXPECT_TRUE(piece.empty());
  }
  std::string result() { return said + end_(walker); }

  Walker walker;
  std::string said;
  script::Digest digest;  // also of what show() leaves out

 private:
  End end_;
};

template <class Walker, class Event, class End>
std::string walk_anyhow(const std::string& payload, Version version, End end) {
  using This = Walk<Walker, Event, End>;
  This whole(version, end);
  whole.feed(payload);
  const std::string expected = whole.result();
  This bytewise(version, end);
  for (const char c : payload) bytewise.feed({&c, 1});
  EXPECT_EQ(bytewise.result(), expected);
  EXPECT_EQ(bytewise.digest.value(), whole.digest.value()) << expected;
  for (size_t at = 1; at < payload.size() && payload.size() < 4000; ++at) {
    This cut(version, end);
    // Copies of their own length, so that a sanitizer sees who looks outside.
    const std::string first = payload.substr(0, at), second = payload.substr(at);
    cut.feed(first);
    cut.feed(second);
    EXPECT_EQ(cut.result(), expected) << "cut at " << at;
    EXPECT_EQ(cut.digest.value(), whole.digest.value()) << "cut at " << at;
  }
  return expected;
}

inline std::string walk(const std::string& payload, Version version = Version::V74) {
  return walk_anyhow<TokenWalker, TokenEvent>(payload, version, [](TokenWalker& walker) {
    const std::string rows = walker.rows() > 0 ? std::to_string(walker.rows()) + " rows, " : "";
    constexpr const char* kEnds[] = {"final", "open", "cut", "unknown"};
    return rows + kEnds[static_cast<int>(walker.end_message())];
  });
}

inline std::string walk_calls(const std::string& payload, Version version = Version::V74) {
  return walk_anyhow<CallWalker, CallEvent>(payload, version, [](CallWalker& walker) {
    return std::string(walker.end_message() ? "good" : "not good");
  });
}

}  // namespace weir::tds::hand
