// What the house has to do with the names of its servers' hosts: which are in use, and which
// servers stand at an address that its name has lost.
#include <algorithm>

#include "house_entry.h"

namespace weir::app {

std::unique_ptr<Names> House::make_names() {
  return std::make_unique<Names>(
      Names::Outside{.now = base::steady_now,
                     .resolve =
                         [this](const std::string& host, net::ResolveCallback done) {
                           return net::resolve(worker(0).loop().mailbox(), host, std::move(done));
                         },
                     .in_use = [this](const std::string& host) { return in_use(host); },
                     .heard = [this](const std::string& host, const Names::Addresses& addresses,
                                     bool mended) { heard(host, addresses, mended); }},
      Names::Rules{config_->dns.ttl, config_->dns.negative_ttl});
}

namespace {

bool is_at(const std::vector<config::Host>& hosts, const std::string& host) {
  return std::any_of(hosts.begin(), hosts.end(),
                     [&](const config::Host& each) { return each.host == host; });
}

}  // namespace

void House::each_entry(const std::function<void(const Entry&)>& act) const {
  for (const auto& [key, entry] : entries_) act(*entry);
  for (const auto& entry : former_askers_) act(*entry);
  if (asker_) act(*asker_);
}

bool House::in_use(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  bool found = false;
  each_entry([&](const Entry& entry) {
    if (found || !is_at(entry.hosts(), host)) return;
    const pool::Snapshot pool = entry.backend->pool().snapshot();
    found = pool.idle + pool.busy + pool.opening + pool.waiting > 0;
  });
  return found;
}

// All that a pool's servers may be at, `host` being at `addresses`.
std::vector<uint64_t> House::origins(const std::vector<config::Host>& hosts,
                                     const std::string& host,
                                     const Names::Addresses& addresses) const {
  std::vector<uint64_t> out;
  for (const config::Host& each : hosts)
    for (const std::string& address : each.host == host ? addresses : names_->addresses(each.host))
      out.push_back(origin_of(address));
  return out;
}

// Idle servers at other addresses are closed, busy ones when they come back. Pools that had no
// server because of the name try again at once.
void House::heard(const std::string& host, const Names::Addresses& addresses, bool mended) {
  session::Worker& here = worker(0);
  std::vector<std::pair<std::shared_ptr<session::Backend>, std::vector<uint64_t>>> concerned;
  {
    const std::lock_guard lock(mutex_);
    each_entry([&](const Entry& entry) {
      if (is_at(entry.hosts(), host))
        concerned.emplace_back(entry.backend, origins(entry.hosts(), host, addresses));
    });
  }
  for (auto& [backend, right] : concerned) {
    if (mended) backend->pool().forgive();
    backend->pool().keep_origins(std::move(right), here.now(), here.orders());
    here.carry_out(*backend);
  }
}

}  // namespace weir::app
