// A backend and what it was made of. Owned by the house, under its mutex.
#pragma once

#include <memory>
#include <string>

#include "house.h"

namespace weir::app {

struct House::Entry {
  std::string name;      // of the database, as clients call it
  bool is_any = false;   // by the entry "*"
  std::string login;     // whose pool it is, when the database names no user; else empty
  std::string protocol;  // as the configuration calls it
  uint32_t number = 0;
  std::shared_ptr<session::Dialler> dialler, read_only_dialler;
  config::Url url;
  config::Tls tls;
  std::vector<config::Host> read_only;
  std::optional<config::Host> failover_partner;
  std::vector<config::Host> hosts() const {  // where its servers may be
    std::vector<config::Host> all = url.hosts;
    all.insert(all.end(), read_only.begin(), read_only.end());
    if (failover_partner) all.push_back(*failover_partner);
    return all;
  }
  std::shared_ptr<session::Backend> backend;
  base::Time used_at = 0;  // a client came, or it had a server
  bool is_taken = false;   // by a client that needs servers of its own
  // Of users with a mode or timeouts of their own that share the pool.
  std::map<std::string, std::shared_ptr<const session::Plan>> plans;
};

}  // namespace weir::app
