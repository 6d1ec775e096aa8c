// A hostile server that owes answers. The first byte chooses what the client has asked, the second
// how the server's bytes are cut; the rest is what the server sends. Whole, in pieces and byte by
// byte it has to come out the same, for a client that is there and for one that is gone.
#include "postgres_link_talk.h"

namespace {

using namespace weir::postgres;
using namespace weir::postgres::script;

void check(bool holds) {
  if (!holds) std::abort();
}

std::string parse(std::string_view name, std::string_view text) {
  std::string out;
  MessageBuilder(out, 'P').text(name).text(text).int16(0);
  return out;
}
std::string bind(std::string_view name) {
  std::string out;
  MessageBuilder(out, 'B').text("").text(name).int16(0).int16(0).int16(0);
  return out;
}
std::string simple(std::string_view text) {
  std::string out;
  append_query(out, text);
  return out;
}
std::string bare(char type, Bytes body = {}) {
  std::string out;
  MessageBuilder(out, type).raw(body);
  return out;
}

// Nothing that has to wait for an answer before it is sent: then it would count how the answers are
// cut.
std::string asked(uint8_t choice) {
  const std::string execute = bare('E', Bytes("\0\0\0\0\0", 5)), sync = bare('S');
  const std::string turn = bind("s") + bare('D', Bytes("P\0", 2)) + execute;
  switch (choice % 8) {
    case 0: return simple("select 1") + simple("reset all") + simple("discard all");
    case 1: return parse("s", "select 1") + turn + turn + sync;
    case 2: return parse("s", "copy t from stdin") + turn + sync + sync;
    case 3:
      return parse("", "set timezone to default") + bind("") + execute + parse("t", "x") +
             bind("none") + sync;
    case 4:
      return bare('F', Bytes("\0\0\0\1\0\0\0\0\0\0", 10)) + parse("s", "a") +
             bare('C', Bytes("Ss\0", 3)) + sync;
    case 5: return parse("s", "a") + turn + bare('H');
    case 6:
      return simple("copy t from stdin") + bare('d', "1\n") + bare('c') +
             simple("copy t to stdout");
    default:
      return simple("begin") + simple("set local a=1") + parse("s", "a") + parse("s", "b") +
             bind("s") + sync;
  }
}

std::string run(const uint8_t* head, const std::string& bytes, size_t piece) {
  LinkTalk talk;
  talk.ends_holds = false;
  talk.hold();
  talk.client.options.prepared_statements = (head[0] & 8) != 0 ? 1 : 200;
  talk.client.options.statement_mode = (head[0] & 16) != 0;
  talk.client.startup = talk.client.wanted = talk.server(0).in_force =
      intern_settings(talk.texts(), {{"timezone", "CET"}, {"search_path", "x"}});
  talk.client_sends(asked(head[0]));
  for (size_t at = 0; at < bytes.size(); at += piece) talk.server_sends(bytes.substr(at, piece));
  ServerState& server = talk.server(0);
  check(talk.kept_bytes() <= bytes.size() && server.reported.size() <= bytes.size() / 7 + 3);
  const Output output = talk.take();
  return output.to_server + "|" + output.to_client + "|" + output.events + "|" +
         std::to_string(server.ledger.size()) + server.status + std::to_string(server.dirty) +
         std::to_string(server.prepared.size()) + std::string(server.in_force.view()) + "|" +
         std::to_string(
             static_cast<int>(server.remains.pin().value_or(weir::protocol::Pin::kCount))) +
         std::to_string(server.remains.is_asking()) + std::to_string(server.remains.any()) + "|" +
         std::string(talk.client.wanted.view()) + talk.client.unnamed;
}

std::string recover(const uint8_t* head, const std::string& bytes, size_t piece) {
  LinkTalk talk;
  talk.ends_holds = false;
  talk.hold();
  talk.client_sends(asked(head[0]));
  ServerState& server = talk.server(0);
  if (talk.over() || talk.link().condition(server) != Condition::Open) return {};
  const auto dialogue = talk.link().recover(server);
  std::string in, send;
  auto result = dialogue->start(send);
  for (size_t at = 0; at < bytes.size() && result.step == Step::Wait; at += piece) {
    in += bytes.substr(at, piece);
    result = dialogue->feed(in, send);
    check(result.consumed <= in.size());
    in.erase(0, result.consumed);
  }
  if (result.step == Step::Done) check(server.status == 'I' && at_rest(server));
  return send + static_cast<char>('0' + static_cast<int>(result.step));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string expected = run(data, bytes, bytes.size() + 1);
  check(expected == run(data, bytes, 1));
  check(expected == run(data, bytes, data[1] + size_t{1}));
  recover(data, bytes, bytes.size() + 1);
  recover(data, bytes, data[1] + size_t{1});
  return 0;
}
