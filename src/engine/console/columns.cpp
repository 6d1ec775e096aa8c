// The columns of each SHOW.
#include <span>

#include "table.h"

namespace weir::engine::console {

namespace {

using pgserver::oid::kInt4;
using pgserver::oid::kInt8;
using pgserver::oid::kNumeric;
using pgserver::oid::kText;

struct Name {
  std::string_view name;
  uint32_t type = kText;
};

constexpr Name kPools[] = {
    {"database"},
    {"user"},
    {"cl_active", kInt4},
    {"cl_waiting", kInt4},
    {"cl_active_cancel_req", kInt4},
    {"cl_waiting_cancel_req", kInt4},
    {"sv_active", kInt4},
    {"sv_active_cancel", kInt4},
    {"sv_being_canceled", kInt4},
    {"sv_idle", kInt4},
    {"sv_used", kInt4},
    {"sv_tested", kInt4},
    {"sv_login", kInt4},
    {"maxwait", kInt4},
    {"maxwait_us", kInt4},
    {"pool_mode"},
    {"load_balance_hosts"},
    // weir's own
    {"pool_size", kInt4},
    {"cl_idle", kInt4},
    {"sv_resetting", kInt4},
    {"sv_checking", kInt4},
    {"sv_closing", kInt4},
    {"paused", kInt4},
    {"last_error"},
};

// Clients and servers alike.
constexpr Name kSockets[] = {
    {"type"},
    {"user"},
    {"database"},
    {"replication"},
    {"state"},
    {"addr"},
    {"port", kInt4},
    {"local_addr"},
    {"local_port", kInt4},
    {"connect_time"},
    {"request_time"},
    {"wait", kInt4},
    {"wait_us", kInt4},
    {"close_needed", kInt4},
    {"ptr"},
    {"link"},
    {"remote_pid", kInt4},
    {"tls"},
    {"application_name"},
    {"prepared_statements", kInt4},
    {"id", kInt8},
    // weir's own
    {"server_user"},
    {"worker", kInt4},
    {"pin"},
};

constexpr Name kDatabases[] = {
    {"name"},
    {"host"},
    {"port", kInt4},
    {"database"},
    {"force_user"},
    {"pool_size", kInt4},
    {"min_pool_size", kInt4},
    {"reserve_pool_size", kInt4},
    {"server_lifetime", kInt4},
    {"pool_mode"},
    {"load_balance_hosts"},
    {"max_connections", kInt4},
    {"current_connections", kInt4},
    {"max_client_connections", kInt4},
    {"current_client_connections", kInt4},
    {"paused", kInt4},
    {"disabled", kInt4},
    // weir's own
    {"protocol"},
};

constexpr std::string_view kCounts[] = {
    "server_assignment_count",
    "xact_count",
    "query_count",
    "received",
    "sent",
    "xact_time",
    "query_time",
    "wait_time",
    "client_parse_count",
    "server_parse_count",
    "bind_count",
    "client_login_count",
};

constexpr Name kUsers[] = {
    {"name"},
    {"pool_size", kInt4},
    {"reserve_pool_size", kInt4},
    {"pool_mode"},
    {"max_user_connections", kInt4},
    {"current_connections", kInt4},
    {"max_user_client_connections", kInt4},
    {"current_client_connections", kInt4},
};

constexpr Name kLists[] = {{"list"}, {"items", kInt4}};
constexpr Name kDnsHosts[] = {{"hostname"}, {"ttl", kInt8}, {"addrs"}};
constexpr Name kConfig[] = {{"key"}, {"value"}, {"default"}, {"changeable"}};
constexpr Name kState[] = {{"key"}, {"value"}};
constexpr Name kVersion[] = {{"version"}};
constexpr Name kHelpColumns[] = {{"command"}, {"description"}};

std::vector<pgserver::Column> make(std::span<const Name> names) {
  std::vector<pgserver::Column> out;
  for (const Name& name : names) out.push_back({std::string(name.name), name.type});
  return out;
}

// PgBouncer's names: total_received and avg_recv in STATS, bytes_received and avg_recv elsewhere.
std::string total_name(std::string_view count, bool alone) {
  if (!alone) return "total_" + std::string(count);
  const bool bytes = count == "received" || count == "sent";
  return (bytes ? "bytes_" : "") + std::string(count);
}

std::vector<pgserver::Column> stats_columns(Show what) {
  std::vector<pgserver::Column> out{{"database"}};
  if (what != Show::StatsAverages)
    for (const std::string_view count : kCounts)
      out.push_back({total_name(count, what == Show::StatsTotals), kNumeric});
  if (what != Show::StatsTotals)
    for (const std::string_view count : kCounts)
      out.push_back({"avg_" + std::string(count == "received" ? "recv" : count), kNumeric});
  return out;
}

}  // namespace

std::vector<pgserver::Column> columns_of(Show what) {
  switch (what) {
    case Show::Pools: return make(kPools);
    case Show::Clients:
    case Show::Servers: return make(kSockets);
    case Show::Databases: return make(kDatabases);
    case Show::Stats:
    case Show::StatsTotals:
    case Show::StatsAverages: return stats_columns(what);
    case Show::Users: return make(kUsers);
    case Show::Lists: return make(kLists);
    case Show::DnsHosts: return make(kDnsHosts);
    case Show::Config: return make(kConfig);
    case Show::State: return make(kState);
    case Show::Version: return make(kVersion);
    case Show::Help: return make(kHelpColumns);
  }
  return {};
}

}  // namespace weir::engine::console
