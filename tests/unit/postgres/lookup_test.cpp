// A question of weir's own to a server: what it sends, and the rows that it reads.

#include "protocol/postgres/lookup.h"
#include "protocol/postgres/wire.h"
#include "script.h"

namespace weir::postgres {
namespace {

using namespace script;
using namespace std::literals;

std::string row(const std::vector<std::optional<std::string>>& values) {
  std::string body;
  body.push_back(0);
  body.push_back(static_cast<char>(values.size()));
  for (const auto& value : values) {
    char size[4];
    base::store_be32(size, value ? static_cast<uint32_t>(value->size()) : 0xffffffffu);
    body.append(size, 4);
    if (value) body += *value;
  }
  return message('D', body);
}

const std::string kBegin = message('1', "") + message('2', "");
const std::string kEnd = message('C', "SELECT 1\0"sv) + message('Z', "I");

struct Told {
  Step step = Step::Wait;
  std::vector<protocol::Row> rows;
  base::Error error;
  std::string sent;
};

Told ask(const std::string& answer, size_t bite) {
  ServerState server;
  const auto lookup = make_lookup(server, "select $1", "ada");
  Told told;
  told.step = lookup->start(told.sent).step;
  std::string in;
  for (size_t i = 0; i < answer.size() && told.step == Step::Wait; i += bite) {
    in.append(answer, i, bite);
    const auto result = lookup->feed(in, told.sent);
    in.erase(0, result.consumed);
    told.step = result.step;
  }
  told.rows = lookup->rows;
  told.error = lookup->error();
  return told;
}

TEST(Lookup, ReadsRowsAtEverySplit) {
  const std::string answer = kBegin + row({"ada", std::nullopt, ""}) + row({"bob"}) + kEnd;
  for (size_t bite = 1; bite <= answer.size(); ++bite) {
    const Told told = ask(answer, bite);
    ASSERT_EQ(told.step, Step::Done) << bite;
    EXPECT_EQ(told.rows, (std::vector<protocol::Row>{{"ada", std::nullopt, ""}, {"bob"}}));
    EXPECT_EQ(types_of(told.sent), "PBES");
    EXPECT_NE(told.sent.find("\0\0\0\3ada"s), std::string::npos);
  }
}

TEST(Lookup, ARefusalLeavesTheServerUsable) {
  std::string error;
  append_error(error, {"ERROR", "42P01", "relation does not exist"});
  const Told told = ask(error + message('Z', "I"), 7);
  EXPECT_EQ(told.step, Step::Fail);
  EXPECT_EQ(told.error.kind, base::ErrorKind::Refused);
  EXPECT_EQ(told.error.text, "relation does not exist");
  EXPECT_EQ(told.error.code, "42P01");
}

// It used to count as an answer without rows: a user that does not exist.
TEST(Lookup, ARefusalWithoutAReason) {
  for (const std::string& body : {""s, "\0"s, "C42P01\0\0"s}) {
    const Told told = ask(message('E', body) + message('Z', "I"), 1);
    EXPECT_EQ(told.step, Step::Fail);
    EXPECT_EQ(told.error.kind, base::ErrorKind::Refused);
    EXPECT_FALSE(told.error.text.empty());
  }
}

TEST(Lookup, AnythingElseDoesNot) {
  std::string many = kBegin;
  for (int i = 0; i < 1001; ++i) many += row({"x"});
  const std::vector<std::string> answers = {
      kBegin + message('D', "\0\1\0\0\0\5x"sv) + kEnd,  // shorter than it says
      kBegin + message('D', "\0\1\0\0\0\1xy"sv) + kEnd,
      kBegin + message('D', ""sv) + kEnd,
      kBegin + message('G', "\0\0\0"sv) + kEnd,  // COPY
      kBegin + message('C', "BEGIN\0"sv) + message('Z', "T"),
      kBegin + message('Z', ""),
      many + kEnd,
      "x\0\0\0\1"s,
  };
  for (const std::string& answer : answers) {
    const Told told = ask(answer, answer.size());
    EXPECT_EQ(told.step, Step::Fail);
    EXPECT_NE(told.error.kind, base::ErrorKind::Refused);
  }
}

}  // namespace
}  // namespace weir::postgres
