#include "lookup.h"

#include <weir/base/limits.h>

#include "wire.h"

namespace weir::postgres {

namespace {

using base::ErrorKind;
using protocol::Step;

constexpr uint32_t kNull = 0xffffffff;
constexpr size_t kRowsMax = 1000;
constexpr size_t kRowsBytesMax = 256 * 1024;

class LookupTalk final : public protocol::Lookup {
 public:
  LookupTalk(ServerState& server, std::string text, std::string argument)
      : server_(server), text_(std::move(text)), argument_(std::move(argument)) {}

  Result start(std::string& send) override {
    MessageBuilder(send, 'P').text("").text(text_).int16(0);
    MessageBuilder(send, 'B')
        .text("")
        .text("")
        .int16(0)
        .int16(1)
        .int32(static_cast<uint32_t>(argument_.size()))
        .raw(argument_)
        .int16(0);
    MessageBuilder(send, 'E').text("").int32(0);
    MessageBuilder(send, 'S');
    server_.unnamed_mark = 0;
    return {Step::Wait, 0};
  }

  Result feed(Bytes in, std::string&) override {
    size_t used = 0;
    while (used < in.size()) {
      auto cut = cut_message(in.substr(used), base::kServerNoteBytesMax);
      if (!cut) return fail(cut.error(), used);
      if (cut->consumed == 0) break;
      used += cut->consumed;
      const Result result = on_message(*cut);
      if (result.step != Step::Wait) return {result.step, used};
    }
    return {Step::Wait, used};
  }

  // What it said before was its last word, not a refusal of what it was asked.
  Result on_end() override {
    error_.kind = ErrorKind::Unreachable;
    return Dialogue::on_end();
  }

 private:
  Result on_message(const CutMessage& message) {
    switch (message.type) {
      case 'E': error_ = read_refusal(message.body); return {};
      case 'D': return on_row(message.body);
      case 'Z':
        server_.status = message.body.empty() ? '?' : message.body[0];
        if (server_.status != 'I')
          return fail({ErrorKind::Protocol, "the question left a transaction open"});
        return {error_.text.empty() ? Step::Done : Step::Fail, 0};
      case '1':
      case '2':
      case 'C':
      case 'I':
      case 'N':
      case 'S': return {};
      default: return fail({ErrorKind::Protocol, "the server sent an unexpected message"});
    }
  }

  Result on_row(Bytes body) {
    bytes_ += body.size();
    if (rows.size() >= kRowsMax || bytes_ > kRowsBytesMax)
      return fail({ErrorKind::TooLarge, "the answer has too many rows"});
    BodyReader reader(body);
    protocol::Row row;
    for (uint16_t left = reader.int16(); left > 0 && reader.ok(); --left) {
      const uint32_t size = reader.int32();
      if (size == kNull)
        row.emplace_back();
      else
        row.emplace_back(reader.raw(size));
    }
    if (!reader.at_end()) return fail({ErrorKind::Protocol, "the server sent a malformed row"});
    rows.push_back(std::move(row));
    return {};
  }

  ServerState& server_;
  const std::string text_;
  const std::string argument_;
  size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<protocol::Lookup> make_lookup(ServerState& server, const std::string& text,
                                              const std::string& argument) {
  return std::make_unique<LookupTalk>(server, text, argument);
}

}  // namespace weir::postgres
