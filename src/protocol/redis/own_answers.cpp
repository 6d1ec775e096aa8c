#include "own_answers.h"

#include <algorithm>
#include <array>
#include <vector>

namespace weir::redis {

namespace {

constexpr std::string_view kBadName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

struct Word {
  std::string_view name;
  ClientWord word;
};
constexpr auto kWords = std::to_array<Word>({
    {"id", ClientWord::Id},
    {"getname", ClientWord::GetName},
    {"setname", ClientWord::SetName},
    {"setinfo", ClientWord::SetInfo},
    {"no-evict", ClientWord::NoEvict},
    {"no-touch", ClientWord::NoTouch},
    {"reply", ClientWord::Reply},
    {"info", ClientWord::Roll},
    {"list", ClientWord::Others},
    {"kill", ClientWord::Others},
    {"unblock", ClientWord::Unblock},
    {"tracking", ClientWord::Track},
    {"caching", ClientWord::Lease},
    {"getredir", ClientWord::Redirect},
    {"trackinginfo", ClientWord::Redirect},
});

int64_t arguments_of(ClientWord word) {
  switch (word) {
    case ClientWord::Id:
    case ClientWord::GetName: return 2;
    case ClientWord::SetInfo: return 4;
    default: return 3;
  }
}

std::string error(std::string_view text) {
  std::string out;
  append_error_line(out, text);
  return out;
}

std::string set_name(ClientState& client, Bytes name) {
  if (!is_client_name(name)) return error(kBadName);
  client.name = name;
  return "+OK\r\n";
}

std::string name_of(const ClientState& client) {
  if (client.name.empty()) return client.resp == 3 ? "_\r\n" : "$-1\r\n";
  std::string out;
  append_bulk(out, client.name);
  return out;
}

// Attributes that nobody but CLIENT LIST tells of.
std::string set_info(const Request& request) {
  const Bytes attribute = request.argument(2);
  const bool known =
      equal_ignoring_case(attribute, "lib-name") || equal_ignoring_case(attribute, "lib-ver");
  if (!known) return error("ERR Unrecognized option '" + std::string(attribute) + "'");
  if (!is_client_name(request.argument(3)))
    return error("ERR " + std::string(attribute) +
                 " cannot contain spaces, newlines or special characters.");
  return "+OK\r\n";
}

std::string set_switch(bool& is_on, Bytes how) {
  const bool on = equal_ignoring_case(how, "on");
  if (!on && !equal_ignoring_case(how, "off")) return error("ERR syntax error");
  is_on = on;
  return "+OK\r\n";
}

std::string set_answers(ClientState& client, Bytes how) {
  if (equal_ignoring_case(how, "on")) {
    client.answers = Answers::On;
    return "+OK\r\n";
  }
  if (equal_ignoring_case(how, "off"))
    client.answers = Answers::Off;
  else if (!equal_ignoring_case(how, "skip"))
    return error("ERR syntax error");
  else if (client.answers != Answers::Off)
    client.answers = Answers::SkipNext;
  return {};
}

// Another number of them is the server's to refuse.
bool has_arguments(std::string_view name, int64_t count) {
  if (name == "info") return count == 2;
  if (name == "unblock") return count == 3 || count == 4;
  return name != "kill" || count > 2;
}

}  // namespace

ClientWord client_word(const Request& request) {
  const auto found = std::find_if(kWords.begin(), kWords.end(), [&](const Word& each) {
    return equal_ignoring_case(request.argument(1), each.name);
  });
  if (found == kWords.end()) return ClientWord::Unknown;
  if (!has_arguments(found->name, request.count)) return ClientWord::Lease;
  if (found->word != ClientWord::Track) return found->word;
  const bool elsewhere = any_argument(
      request, [](Bytes argument) { return equal_ignoring_case(argument, "redirect"); });
  return elsewhere ? ClientWord::TrackTo : ClientWord::Track;
}

bool is_client_name(Bytes name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string answer_client(ClientState& client, const Request& request) {
  const ClientWord word = client_word(request);
  if (request.count != arguments_of(word)) {
    std::string name(request.argument(1));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    return error("ERR wrong number of arguments for 'client|" + name + "' command");
  }
  switch (word) {
    case ClientWord::Id: return ":" + std::to_string(client.id) + "\r\n";
    case ClientWord::GetName: return name_of(client);
    case ClientWord::SetName: return set_name(client, request.argument(2));
    case ClientWord::SetInfo: return set_info(request);
    case ClientWord::Reply: return set_answers(client, request.argument(2));
    case ClientWord::NoEvict: return set_switch(client.no_evict, request.argument(2));
    default: return set_switch(client.no_touch, request.argument(2));
  }
}

bool wants_answer(ClientState& client) {
  if (client.answers != Answers::SkipNext) return client.answers == Answers::On;
  client.answers = Answers::On;
  return false;
}

void reset(ClientState& client) {
  client.database = kHome;
  client.resp = 2;
  client.name.clear();
  client.answers = Answers::On;
}

std::optional<Hello> read_hello(const Request& request) {
  Hello hello;
  if (request.count == 1) return hello;
  if (request.kind != Request::Kind::Whole) return std::nullopt;
  std::vector<Bytes> arguments;
  any_argument(request, [&arguments](Bytes argument) {
    arguments.push_back(argument);
    return false;
  });
  if (!read_number(request.argument(1), hello.version) || hello.version < 2 || hello.version > 3)
    return std::nullopt;
  for (size_t i = 2; i < arguments.size();) {
    hello.has_options = true;
    const size_t follow = arguments.size() - i - 1;
    if (equal_ignoring_case(arguments[i], "auth") && follow >= 2) {
      hello.has_auth = true;
      i += 3;
    } else if (equal_ignoring_case(arguments[i], "setname") && follow >= 1 &&
               is_client_name(arguments[i + 1])) {
      hello.name = arguments[i + 1];
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return hello;
}

}  // namespace weir::redis
