// Dialogues through the link, written as messages in short:
//
//   from a client   Q[select 1]  P[name|text]  B[portal|name]  B[portal|name|value]  D[Sname]
//   D[Pportal]
//                   E[portal]  E[portal|rows]  C[Sname]  S  H  F  X  d[data]  c  f[why]
//   from a server   1 2 3 n t s I c  T  D[data]  Z[I]  C[tag]  E[22012]  N[00000]  S[name=value]  K
//                   G H W  d[data]  V  A    D[one|two|null]
//
// A line is "c: messages" or "s: messages" in, and "s: messages; c: messages; events" out.
// What weir asks about what a client has left is ?[temp any work_mem].
// Statement names of weir's own are written @1, @2, … in the order in which they are seen.
// {hexadecimal} is raw bytes.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "postgres_link_talk.h"

namespace weir::postgres::script {

struct Line {
  std::string in;
  std::string out;
};
using Setup = std::function<void(LinkTalk&)>;

// Plays the script whole, byte by byte and cut in two at every place; the outcome has to be as
// written each time. Returns how it stands after the first.
std::unique_ptr<LinkTalk> play(const std::vector<Line>& lines, const Setup& setup = {});

std::string client_bytes(std::string_view text);
std::string server_bytes(std::string_view text);
using Names = std::map<std::string, std::string>;
std::string show_client(Bytes bytes, Names& names);
std::string show_server(Bytes bytes);

inline SettingMap wanted(const LinkTalk& talk) { return settings_of(talk.client.wanted); }
inline SettingMap in_force(LinkTalk& talk, size_t server = 0) {
  return settings_of(talk.server(server).in_force);
}
inline std::optional<protocol::Pin> pin(LinkTalk& talk) { return talk.link().pin(talk.server(0)); }
inline Condition condition(LinkTalk& talk) { return talk.link().condition(talk.server(0)); }

}  // namespace weir::postgres::script
