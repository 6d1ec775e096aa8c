#include "link_script.h"

#include <algorithm>

namespace weir::postgres::script {

namespace {

using Args = std::vector<std::string>;

struct Token {
  char type = 0;
  std::string text;
  Args args;
};

Args cut(std::string_view text, char at) {
  Args parts;
  while (true) {
    const size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  while (!text.empty()) {
    if (text[0] == ' ') {
      text.remove_prefix(1);
      continue;
    }
    Token token{text[0], {}, {}};
    const char close = text[0] == '{' ? '}' : ']';
    const bool has_text = text[0] == '{' || text.substr(1).starts_with('[');
    text.remove_prefix(has_text && close == ']' ? 2 : 1);
    if (has_text) {
      const size_t end = text.find(close);
      token.text = text.substr(0, end);
      text.remove_prefix(end + 1);
    }
    token.args = cut(token.text, '|');
    token.args.resize(4);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

void raw_bytes(std::string& out, const std::string& hex) {
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
}

std::string bracket(char type, const std::string& text) {
  return std::string(1, type) + "[" + text + "]";
}

std::string shorten(Bytes text) {
  if (text.size() > 400) return "#" + std::to_string(text.size());
  return std::string(text);
}

void client_message(std::string& out, const Token& token) {
  if (token.type == '{') return raw_bytes(out, token.text);
  MessageBuilder message(out, token.type);
  const Args& args = token.args;
  switch (token.type) {
    case 'Q':
    case 'f': message.text(token.text); return;
    case 'd': message.raw(token.text); return;
    case 'P': message.text(args[0]).text(args[1]).int16(0); return;
    case 'B':
      message.text(args[0]).text(args[1]).int16(0).int16(args[2].empty() ? 0 : 1);
      if (!args[2].empty()) message.int32(static_cast<uint32_t>(args[2].size())).raw(args[2]);
      message.int16(0);
      return;
    case 'D':
    case 'C': message.text(token.text); return;
    case 'E':
      message.text(args[0]).int32(args[1].empty() ? 0 : static_cast<uint32_t>(std::stoi(args[1])));
      return;
    case 'F': message.int32(1).int16(0).int16(0).int16(0); return;
    default: return;
  }
}

// D[one|two|three]; "null" is none.
void row(MessageBuilder& message, const Token& token) {
  const auto columns = 1 + std::count(token.text.begin(), token.text.end(), '|');
  message.int16(static_cast<uint16_t>(columns));
  for (size_t i = 0; i < static_cast<size_t>(columns); ++i) {
    const std::string& value = columns == 1 ? token.text : token.args[i];
    if (value == "null")
      message.int32(UINT32_MAX);
    else
      message.int32(static_cast<uint32_t>(value.size())).raw(value);
  }
}

void server_message(std::string& out, const Token& token) {
  switch (token.type) {
    case '{': return raw_bytes(out, token.text);
    case 'E': return append_error(out, {.sqlstate = token.args[0], .message = "m"});
    case 'N':
      return append_notice(out, {.severity = "NOTICE", .sqlstate = token.text, .message = "m"});
    case 'C': return append_command_complete(out, token.text);
    case 'Z': return append_ready(out, token.text.at(0));
    case 'S': {
      const size_t equals = token.text.find('=');
      return append_parameter_status(out, token.text.substr(0, equals),
                                     token.text.substr(equals + 1));
    }
    default: break;
  }
  MessageBuilder message(out, token.type);
  switch (token.type) {
    case 'T': message.int16(0); return;
    case 'D': return row(message, token);
    case 'd': message.raw(token.text); return;
    case 'G':
    case 'H':
    case 'W': message.int8(0).int16(0); return;
    case 'V': message.int32(0xffffffff); return;
    case 'A': message.int32(9).text("channel").text(""); return;
    case 't': message.int16(0); return;
    default: return;
  }
}

// weir_17 -> @1
std::string mask(std::string text, Names& names) {
  size_t at = 0;
  while ((at = text.find("weir_", at)) != std::string::npos) {
    const size_t end = text.find_first_not_of("0123456789", at + 5);
    const std::string name = text.substr(at, end == std::string::npos ? end : end - at);
    if (name.size() == 5) {
      at += 5;
      continue;
    }
    const auto [place, is_new] = names.emplace(name, "");
    if (is_new) place->second = "@" + std::to_string(names.size());
    text.replace(at, name.size(), place->second);
  }
  return text;
}

std::string text_of(BodyReader& reader) { return shorten(reader.text()); }

// weir's question about what a client has left, in short: ?[temp], ?[any], ?[work_mem listening]
std::string short_question(std::string_view text) {
  static const std::pair<std::string_view, std::string_view> kParts[] = {
      {"SELECT 1,'',", "listening"},
      {"SELECT 2,'',", "temp"},
      {"SELECT 4,'',", "cursor"},
      {"SELECT 8,'',", "prepared"},
      {"SELECT 16,'',", "lock"}};
  std::string parts;
  for (const auto& [begin, name] : kParts)
    if (text.find(begin) != Bytes::npos) parts.append(" ").append(name);
  constexpr std::string_view kList = "ANY(ARRAY[";
  const size_t list = text.find(kList);
  if (list == Bytes::npos && text.find("SELECT 32,name,") != Bytes::npos) parts += " any";
  for (size_t at = list == Bytes::npos ? list : list + kList.size(); at < text.size();) {
    const size_t end = text.find('\'', at + 1);
    parts.append(" ").append(text.substr(at + 1, end - at - 1));
    at = text[end + 1] == ',' ? end + 2 : Bytes::npos;
  }
  constexpr std::string_view kNamed = "SELECT 32,'";
  for (size_t at = text.find(kNamed); at != Bytes::npos; at = text.find(kNamed, at + 1)) {
    const std::string_view rest = text.substr(at + kNamed.size());
    if (!rest.starts_with("role',pg_catalog.current_setting('role') WHERE"))
      parts.append(" ").append(rest.substr(0, rest.find('\'')));
  }
  return parts.empty() ? parts : "?[" + parts.substr(1) + "]";
}

std::string show_client_message(char type, Bytes body) {
  BodyReader reader(body);
  if (const std::string asked = short_question(body); type == 'Q' && !asked.empty()) return asked;
  switch (type) {
    case 'Q':
    case 'f': return bracket(type, text_of(reader));
    case 'd': return bracket(type, shorten(body));
    case 'D':
    case 'C': return bracket(type, text_of(reader));
    case 'P': {
      std::string text = text_of(reader) + "|";
      return bracket(type, text + text_of(reader));
    }
    case 'B': {
      std::string text = text_of(reader) + "|";
      text += text_of(reader);
      reader.int16();
      if (reader.int16() == 1) text += "|" + shorten(reader.raw(reader.int32()));
      return bracket(type, text);
    }
    case 'E': {
      std::string text = text_of(reader);
      const uint32_t rows = reader.int32();
      return bracket(type, rows == 0 ? text : text + "|" + std::to_string(rows));
    }
    default: return std::string(1, type);
  }
}

std::string show_server_message(char type, Bytes body) {
  BodyReader reader(body);
  switch (type) {
    case 'E':
    case 'N': return bracket(type, read_error(body).sqlstate);
    case 'C': return bracket(type, text_of(reader));
    case 'Z': return bracket(type, std::string(body));
    case 'S': {
      std::string text = text_of(reader) + "=";
      return bracket(type, text + text_of(reader));
    }
    case 'D': return bracket(type, shorten(body.substr(6)));
    case 'd': return bracket(type, shorten(body));
    default: return std::string(1, type);
  }
}

template <class Show>
std::string show(Bytes bytes, Show show_message) {
  std::string text;
  while (!bytes.empty()) {
    auto cut = cut_message(bytes, bytes.size());
    if (!cut || cut->consumed == 0) return text + " half";
    text += " " + show_message(cut->type, cut->body);
    bytes.remove_prefix(cut->consumed);
  }
  return text;
}

std::string show(const Output& output, Names& names) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (!output.to_server.empty()) add("s:" + show_client(output.to_server, names));
  if (!output.to_client.empty()) add("c:" + show_server(output.to_client));
  if (!output.events.empty()) add(output.events.substr(1));
  return text;
}

using Split = std::function<std::vector<std::string>(const std::string&)>;

size_t play_once(const std::vector<Line>& lines, LinkTalk& talk, const Split& split,
                 const std::string& how) {
  Names names;
  size_t longest = 0;
  for (const Line& line : lines) {
    if (line.in.starts_with("use ")) {
      talk.use(static_cast<size_t>(std::stoi(line.in.substr(4))));
      continue;
    }
    if (line.in == "no server") {
      talk.answer_error({base::ErrorKind::Timeout, "no server", "53300"});
    } else {
      const bool by_client = line.in[0] == 'c';
      const std::string bytes =
          by_client ? client_bytes(line.in.substr(2)) : server_bytes(line.in.substr(2));
      longest = std::max(longest, bytes.size());
      for (const std::string& piece : split(bytes))
        by_client ? talk.client_sends(piece) : talk.server_sends(piece);
    }
    const std::string out = show(talk.take(), names);
    EXPECT_EQ(out, line.out) << "after " << line.in << " (" << how << ")";
    if (out != line.out) return 0;
  }
  return longest;
}

// What is remembered must not depend on how the bytes were cut.
std::string digest(LinkTalk& talk) {
  std::string text = std::string(talk.client.wanted.view()) + "/" + talk.client.unnamed;
  for (const char* name : {"s", "t", "d", "u"})
    if (const Interned* known = talk.client.names.find(name))
      text += name + std::to_string(known->id());
  for (size_t i = 0; i < talk.servers(); ++i) {
    ServerState& server = talk.server(i);
    text += "/" + std::string(server.in_force.view()) + std::to_string(server.dirty) +
            server.status + std::to_string(server.prepared.size()) + "," +
            std::to_string(server.ledger.size()) + "," +
            std::to_string(static_cast<int>(talk.link().condition(server)));
  }
  return text;
}

}  // namespace

std::string client_bytes(std::string_view text) {
  std::string out;
  for (const Token& token : tokens_of(text)) client_message(out, token);
  return out;
}

std::string server_bytes(std::string_view text) {
  std::string out;
  for (const Token& token : tokens_of(text)) server_message(out, token);
  return out;
}

std::string show_client(Bytes bytes, Names& names) {
  return mask(show(bytes, show_client_message), names);
}

std::string show_server(Bytes bytes) { return show(bytes, show_server_message); }

std::unique_ptr<LinkTalk> play(const std::vector<Line>& lines, const Setup& setup) {
  size_t longest = 0;
  const auto once = [&](const Split& split, const std::string& how) {
    auto talk = std::make_unique<LinkTalk>();
    if (setup) setup(*talk);
    longest = play_once(lines, *talk, split, how);
    return talk;
  };
  const auto in_two = [](size_t place) {
    return [place](const std::string& bytes) -> std::vector<std::string> {
      if (place >= bytes.size()) return {bytes};
      return {bytes.substr(0, place), bytes.substr(place)};
    };
  };
  const auto by_bytes = [](const std::string& bytes) {
    std::vector<std::string> pieces;
    for (const char c : bytes) pieces.emplace_back(1, c);
    return pieces;
  };
  auto result = once([](const std::string& bytes) { return std::vector{bytes}; }, "whole");
  const auto outcome = digest(*result);
  if (longest == 0) return result;
  EXPECT_EQ(digest(*once(by_bytes, "byte by byte")), outcome);
  for (size_t place = 1; place < longest; ++place)
    EXPECT_EQ(digest(*once(in_two(place), "cut at " + std::to_string(place))), outcome);
  return result;
}

}  // namespace weir::postgres::script
