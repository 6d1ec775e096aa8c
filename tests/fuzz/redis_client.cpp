// Two hostile clients of one lane. The first byte says how their bytes are cut, the second where
// the one's end and the other's begin. Each gets what it would get alone and in one piece; nothing
// but whole commands is sent down the lane (redis_talk.h checks that).
#include "redis_talk.h"
#include "yes_server.h"

namespace {

using namespace weir::redis::script;

const auto kConnect = [] { return std::make_unique<YesServer>(); };

void check_world(const World& world) {
  check(!world.lane_failed);
  check(!world.within_a_piece);
  check(!world.leaked);
}

struct Alone {
  std::string out;
  bool asks_of_others = false;  // what it gets depends on them, or it may end them or itself
};

// What one of the two gets while the other one is silent.
Alone alone(size_t id, const std::string& bytes, size_t piece) {
  World world(piece, kConnect);
  for (int i = 0; i < 2; ++i) world.add_client();
  world.send(id, bytes);
  check_world(world);
  check(world.client(id).in.size() <= 2 * 65536 + 64);
  Alone told{world.client(id).out, world.rolls > 0};
  world.leave(id);
  check_world(world);
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = data[0] + size_t{1};
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t middle = bytes.size() * data[1] / 255;
  const std::string parts[] = {bytes.substr(0, middle), bytes.substr(middle)};
  std::string expected[2];
  for (size_t i = 0; i < 2; ++i) {
    const Alone whole = alone(i + 1, parts[i], SIZE_MAX);
    const Alone bytewise = alone(i + 1, parts[i], 1);
    const Alone cut = alone(i + 1, parts[i], piece);
    if (whole.asks_of_others || bytewise.asks_of_others || cut.asks_of_others) return 0;
    check(bytewise.out == whole.out);
    check(cut.out == whole.out);
    expected[i] = whole.out;
  }

  World world(SIZE_MAX, kConnect);
  for (const size_t id : {world.add_client(), world.add_client()}) check(id > 0);
  world.answers = false;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    for (size_t i = 0; i < 2; ++i)
      if (at < parts[i].size()) world.send(i + 1, std::string_view(parts[i]).substr(at, piece));
    if (at / piece % 3 == 2) world.go_on();
  }
  world.go_on();
  check_world(world);
  for (size_t i = 0; i < 2; ++i) check(world.client(i + 1).out == expected[i]);
  return 0;
}
