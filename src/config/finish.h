// The last step of every load: users of the users file, options inherited, and all checks that need
// the whole.
#pragma once

#include <algorithm>

#include "reading.h"

namespace weir::config {

void finish(Reading& reading, Config& config);
// Its part about TLS (finish_tls.cpp).
void settle_tls(Reading& reading, Database& database);
void check_tls(Reading& reading, const Listener& listener, const std::string& path);

template <class T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

const ProtocolDescriptor* find_protocol(const Surroundings& around, std::string_view name);
// The protocol of the clients of a database.
const std::string& clients_of(const ProtocolDescriptor& protocol);
std::string joined(const std::vector<std::string>& names);    // "a, b"
std::string listening_protocols(const Surroundings& around);  // "postgres, redis"

}  // namespace weir::config
