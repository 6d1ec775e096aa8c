// A database's URL:
// SCHEME://[user[:password]@]host[:port][,host[:port]…][/path][?name=value[&…]]
#pragma once

#include <string>
#include <string_view>

#include <weir/config/load.h>

namespace weir::config {

struct ParsedUrl {
  const ProtocolDescriptor* protocol = nullptr;
  Url url;
  std::string user;
  Secret password;
};

// The error says what was expected and repeats nothing of the text.
base::Result<ParsedUrl> parse_url(std::string_view text, const Surroundings& around);

// Without user and password.
std::string show_url(const Url& url);

}  // namespace weir::config
