#include "address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstring>

namespace weir::net {

const char* error_text(int error_number) {
  const char* text = strerrordesc_np(error_number);
  return text ? text : "unknown error";
}

std::string Endpoint::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

std::string address_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6->sin6_port));
  }
  return "unix:";
}

uint16_t address_port(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  if (address->sa_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  return 0;
}

base::Result<Address> unix_address(const std::string& path) {
  Address address;
  auto* to = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty() || path == "@" || path.size() >= sizeof to->sun_path)
    return base::Error{base::ErrorKind::Config,
                       fmt::format("unix:{}: a socket's path has 1 to {} characters", path,
                                   sizeof to->sun_path - 1)};
  to->sun_family = AF_UNIX;
  std::memcpy(to->sun_path, path.data(), path.size());
  const bool is_abstract = path[0] == '@';  // its name starts with a NUL and ends with its length
  if (is_abstract) to->sun_path[0] = '\0';
  address.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
  return address;
}

std::vector<Address> to_addresses(const addrinfo* list) {
  std::vector<Address> out;
  for (; list; list = list->ai_next) {
    Address address;
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    address.size = list->ai_addrlen;
    out.push_back(address);
  }
  return out;
}

std::vector<Address> numeric_addresses(const std::string& host, uint16_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) return {};
  auto out = to_addresses(list);
  freeaddrinfo(list);
  return out;
}

void set_tcp_options(int fd, const SocketOptions& options) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.keepalive) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (options.keepalive && options.keepalive_idle > 0) {
    const auto seconds =
        std::clamp<base::Duration>(options.keepalive_idle / base::kSecond, 1, 32767);
    const int idle = static_cast<int>(seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  }
  if (options.user_timeout > 0) {
    const auto wait_ms =
        std::clamp<base::Duration>(options.user_timeout / base::kMillisecond, 1, INT_MAX);
    const auto timeout = static_cast<unsigned>(wait_ms);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
  }
}

}  // namespace weir::net
