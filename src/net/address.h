// Socket addresses: from an Endpoint to what the system wants, and back to texts for people. Pure
// but for the numeric look-up, which asks nobody. Any thread.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include <weir/base/result.h>
#include <weir/net/loop.h>

struct addrinfo;

namespace weir::net {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

const char* error_text(int error_number);
std::string address_text(const sockaddr* address);  // "10.0.0.1:5432", "[::1]:5432", "unix:"
uint16_t address_port(const sockaddr* address);

base::Result<Address> unix_address(const std::string& path);
std::vector<Address> to_addresses(const addrinfo* list);
// Empty when the host is a name.
std::vector<Address> numeric_addresses(const std::string& host, uint16_t port);

// TCP_NODELAY always; the rest as configured. Not for unix sockets.
void set_tcp_options(int fd, const SocketOptions& options);

}  // namespace weir::net
