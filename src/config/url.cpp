#include "url.h"

#include <algorithm>
#include <utility>

#include "reading.h"
#include "scalars.h"

namespace weir::config {

namespace {

using Path = ProtocolDescriptor::Path;

base::Error wrong(std::string expected) { return {base::ErrorKind::Config, std::move(expected)}; }

// A URL cut into its raw parts; where the parts end is settled before anything is decoded.
struct Parts {
  std::string_view user_info;
  std::string_view hosts;
  std::string_view path;
  std::string_view query;
  bool has_user_info = false;
};

Parts cut(std::string_view rest) {
  Parts parts;
  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  const size_t question = rest.find('?');
  parts.path = rest.substr(0, question);
  if (question != std::string_view::npos) parts.query = rest.substr(question + 1);
  const size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    parts.has_user_info = true;
    parts.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  parts.hosts = authority;
  return parts;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

const ProtocolDescriptor* find_scheme(std::string_view scheme, const Surroundings& around) {
  for (const auto& protocol : around.protocols) {
    if (std::find(protocol.schemes.begin(), protocol.schemes.end(), scheme) !=
        protocol.schemes.end()) {
      return &protocol;
    }
  }
  return nullptr;
}

std::string known_schemes(const Surroundings& around) {
  std::string out;
  for (const auto& protocol : around.protocols) {
    for (const auto& scheme : protocol.schemes) out += (out.empty() ? "" : ", ") + scheme + "://";
  }
  return out;
}

base::Status read_user_info(std::string_view text, ParsedUrl& out) {
  const size_t colon = text.find(':');
  std::string password;
  const bool fine =
      percent_decode(text.substr(0, colon), out.user) &&
      (colon == std::string_view::npos || percent_decode(text.substr(colon + 1), password));
  if (!fine) return wrong("expected %XX escapes in the URL's user and password");
  out.password = Secret(std::move(password));
  return base::ok();
}

bool is_path(std::string_view host) { return host.starts_with('/') || host.starts_with('@'); }

// A unix socket, or the directory of one.
base::Result<Host> read_socket(const std::string& text, const ProtocolDescriptor& protocol) {
  if (protocol.sockets_are_files) return Host{text, 0};  // what is behind a colon is its name too
  const size_t colon = text.find(':');
  Host host{text.substr(0, colon), protocol.server_port};
  if (colon == std::string::npos || parse_port(text.substr(colon + 1), host.port)) return host;
  return wrong("expected host, host:port or [v6]:port between the commas of the URL");
}

base::Status read_hosts(std::string_view text, ParsedUrl& out) {
  for (const std::string_view one : split(text, ',')) {
    Host host{{}, out.protocol->server_port};
    std::string decoded;
    if (one.starts_with('[') || one.find('%') == std::string_view::npos) {
      decoded = one;
    } else if (!percent_decode(one, decoded)) {
      return wrong("expected %XX escapes in the URL's host");
    }
    if (is_path(decoded)) {
      auto socket = read_socket(decoded, *out.protocol);
      if (!socket) return socket.error();
      host = std::move(*socket);
    } else if (!parse_host_port(decoded, host.host, host.port)) {
      return wrong("expected host, host:port or [v6]:port between the commas of the URL");
    }
    const bool is_number = host.host.find_first_not_of("0123456789") == std::string::npos;
    if (is_number && !out.url.hosts.empty())
      return wrong("expected a host, not " + host.host + ": a port is written host:" + host.host);
    out.url.hosts.push_back(std::move(host));
  }
  return base::ok();
}

// host= and port= as in libpq: they replace what stands before the path; one port is for all hosts.
base::Status read_host_parameters(ParsedUrl& out) {
  auto& parameters = out.url.parameters;
  const auto ports = parameters.extract("port");
  if (const auto hosts = parameters.extract("host"); !hosts.empty()) {
    out.url.hosts.clear();
    for (const std::string_view one : split(hosts.mapped(), ',')) {
      Host host{{}, out.protocol->server_port};
      if (is_path(one)) host.host = one;
      if (is_path(one) && out.protocol->sockets_are_files) host.port = 0;
      const std::string bracketed = std::count(one.begin(), one.end(), ':') > 1
                                        ? '[' + std::string(one) + ']'
                                        : std::string(one);
      uint16_t no_port = 0;
      const bool fine =
          host.is_unix() || (parse_host_port(bracketed, host.host, no_port) && no_port == 0);
      if (!fine) return wrong("expected host names or directories in the URL's host=");
      out.url.hosts.push_back(std::move(host));
    }
  }
  if (ports.empty()) return base::ok();
  const auto given = split(ports.mapped(), ',');
  if (given.size() != 1 && given.size() != out.url.hosts.size()) {
    return wrong("expected as many ports as hosts in the URL, or one");
  }
  for (size_t i = 0; i < out.url.hosts.size(); ++i) {
    if (!parse_port(given[given.size() == 1 ? 0 : i], out.url.hosts[i].port)) {
      return wrong("expected a port between 1 and 65535 in the URL's port=");
    }
  }
  return base::ok();
}

base::Status check_parameter(const ProtocolDescriptor& protocol, const std::string& name,
                             const std::string& value) {
  std::vector<std::string> known;
  for (const auto& parameter : protocol.parameters) {
    known.push_back(parameter.name);
    if (parameter.name != name) continue;
    const auto& values = parameter.values;
    if (values.empty() || std::find(values.begin(), values.end(), value) != values.end()) {
      return base::ok();
    }
    std::string list;
    for (const auto& one : values) list += (list.empty() ? "" : ", ") + one;
    return wrong("expected " + name + "= in the URL to be one of: " + list);
  }
  const std::string near = nearest(name, known);
  return wrong("unknown parameter in the URL" +
               (near.empty() ? std::string() : "; did you mean " + near + "?"));
}

base::Status read_query(std::string_view query, ParsedUrl& out) {
  if (query.empty()) return base::ok();
  for (const std::string_view pair : split(query, '&')) {
    const size_t equals = pair.find('=');
    std::string name;
    std::string value;
    if (equals == std::string_view::npos || !percent_decode(pair.substr(0, equals), name) ||
        !percent_decode(pair.substr(equals + 1), value)) {
      return wrong("expected name=value with %XX escapes after the URL's question mark");
    }
    if (auto fine = check_parameter(*out.protocol, name, value); !fine) return fine;
    if (!out.url.parameters.emplace(name, std::move(value)).second) {
      return wrong("the URL gives the parameter " + name + " twice");
    }
  }
  auto& parameters = out.url.parameters;
  if (const auto user = parameters.extract("user"); !user.empty()) out.user = user.mapped();
  if (const auto password = parameters.extract("password"); !password.empty()) {
    out.password = Secret(password.mapped());
  }
  for (const char* parameter : {"dbname", "database"})
    if (const auto name = parameters.extract(parameter); !name.empty())
      out.url.path = name.mapped();
  return read_host_parameters(out);
}

base::Status read_path(std::string_view path, ParsedUrl& out) {
  if (out.protocol->path != Path::File && path.starts_with('/')) path.remove_prefix(1);
  if (!percent_decode(path, out.url.path)) return wrong("expected %XX escapes in the URL's path");
  int64_t number = 0;
  if (out.protocol->path == Path::Number) {
    if (out.url.path.empty()) out.url.path = "0";
    if (!parse_whole(out.url.path, INT32_MAX, number)) {
      return wrong("expected a database number, such as /0, at the end of the URL");
    }
    out.url.path = std::to_string(number);
  }
  return base::ok();
}

base::Status check_whole(const Parts& parts, const ParsedUrl& out) {
  if (out.protocol->path == Path::File) {
    if (parts.hosts.empty() && out.url.path.size() > 1) return base::ok();
    return wrong("expected " + out.url.scheme + ":///path/of/the/file");
  }
  if (out.url.hosts.empty()) return wrong("expected a host in the URL");
  if (parts.has_user_info && out.user.empty() && out.password.empty()) {
    return wrong("expected a user before the @ of the URL");
  }
  return base::ok();
}

}  // namespace

std::string show_url(const Url& url) {
  std::string out = url.scheme + "://";
  for (const Host& host : url.hosts) {
    out += (out.ends_with("://") ? "" : ",") + host.text();
  }
  out += (url.path.empty() || url.path[0] == '/' ? "" : "/") + url.path;
  char separator = '?';
  for (const auto& [name, value] : url.parameters) {
    out += std::exchange(separator, '&') + name + '=' + value;
  }
  return out;
}

base::Result<ParsedUrl> parse_url(std::string_view text, const Surroundings& around) {
  ParsedUrl out;
  if (text.empty()) return wrong("expected a URL, one of: " + known_schemes(around));
  const size_t colon = text.find("://");
  out.url.scheme = text.substr(0, colon);
  if (colon != std::string_view::npos) out.protocol = find_scheme(out.url.scheme, around);
  if (!out.protocol) {
    return wrong("unknown scheme; expected a URL, one of: " + known_schemes(around));
  }
  const Parts parts = cut(text.substr(colon + 3));
  // The rest of a password that is not escaped would be taken for hosts.
  const std::string_view before_value = parts.query.substr(0, parts.query.find('='));
  const bool has_at = parts.path.find('@') != std::string_view::npos ||
                      before_value.find('@') != std::string_view::npos;
  if (!parts.hosts.empty() && has_at)
    return wrong(
        "expected no @ behind the hosts of the URL; in a user or password write / ? # @ as %2F %3F "
        "%23 %40, in a name @ as %40");
  if (auto r = read_user_info(parts.user_info, out); !r) return r.error();
  if (!parts.hosts.empty()) {
    if (auto r = read_hosts(parts.hosts, out); !r) return r.error();
  }
  if (auto r = read_path(parts.path, out); !r) return r.error();
  if (auto r = read_query(parts.query, out); !r) return r.error();
  if (auto r = check_whole(parts, out); !r) return r.error();
  return out;
}

}  // namespace weir::config
