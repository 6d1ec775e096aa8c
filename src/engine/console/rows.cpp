// The rows of each SHOW. What weir has no such thing for is 0 or empty, as exporters expect.
#include <algorithm>
#include <charconv>

#include "table.h"

namespace weir::engine::console {

namespace {

constexpr const char* kBalancing = "round-robin";  // over the hosts of a database

int64_t seconds(base::Duration time) { return time / base::kSecond; }
int64_t microseconds_beyond(base::Duration time) { return time % base::kSecond; }

// ---------------------------------------------------------------- pools, databases, users

Row pool_row(const AdminPool& pool) {
  Row row;
  row.text(pool.database).text(pool.user);
  row.number(pool.clients_active + pool.clients_idle).number(pool.clients_waiting);
  row.number(0).number(0);  // clients that bring a cancel
  row.number(pool.servers_active).number(0).number(0).number(pool.servers_idle).number(0);
  row.number(pool.servers_resetting + pool.servers_checking).number(pool.servers_opening);
  row.number(seconds(pool.longest_wait)).number(microseconds_beyond(pool.longest_wait));
  row.text(pool.mode).text(kBalancing);
  row.number(pool.size).number(pool.clients_idle);
  row.number(pool.servers_resetting).number(pool.servers_checking).number(pool.servers_closing);
  return row.number(pool.paused).text(pool.last_error);
}

Row database_row(const AdminDatabase& database) {
  Row row;
  row.text(database.name);
  database.host.empty() ? row.null() : row.text(database.host);
  row.number(database.port).text(database.remote_database);
  database.forced_user.empty() ? row.null() : row.text(database.forced_user);
  row.number(database.pool_size).number(database.pool_min).number(database.pool_overflow);
  row.number(seconds(database.server_lifetime)).text(database.mode).text(kBalancing);
  row.number(database.servers_max).number(database.servers);
  row.number(database.clients_max).number(database.clients);
  return row.number(database.paused).number(0).text(database.protocol);
}

Row user_row(const AdminUser& user) {
  Row row;
  row.text(user.name);
  user.pool_size == 0 ? row.null() : row.number(user.pool_size);
  row.null();  // an overflow of its own
  user.mode.empty() ? row.null() : row.text(user.mode);
  row.number(user.servers_max).number(user.servers);
  return row.number(user.clients_max).number(user.clients);
}

void append_counts(Row& row, const AdminCounts& counts) {
  row.number(counts.assignments).number(counts.transactions).number(counts.queries);
  row.number(counts.received).number(counts.sent);
  row.number(counts.transaction_time).number(counts.query_time).number(counts.wait_time);
  row.number(0).number(0).number(0);  // Parse and Bind are not counted
  row.number(counts.logins);
}

Row stats_row(Show what, const AdminStats& stats) {
  Row row;
  row.text(stats.database);
  if (what != Show::StatsAverages) append_counts(row, stats.total);
  if (what != Show::StatsTotals) append_counts(row, stats.average);
  return row;
}

// ---------------------------------------------------------------- clients and servers

// "2024-02-29 12:00:00 UTC", as PgBouncer writes times.
std::string when(base::Time time, const Clock& clock) {
  const int64_t wall = clock.wall_now - (clock.now - time);
  return pgserver::timestamp_text(wall - ((wall % 1'000'000) + 1'000'000) % 1'000'000) + " UTC";
}

struct Place {
  std::string address;
  int64_t port = 0;
};

// "10.0.0.1:5432", "[::1]:5432", "unix:/run/.s.PGSQL.5432".
Place place_of(const std::string& peer) {
  if (peer.starts_with("unix")) return {"unix", 0};
  const size_t colon = peer.rfind(':');
  Place out{peer.substr(0, colon), 0};
  if (colon == std::string::npos) return out;
  const auto read = std::from_chars(peer.data() + colon + 1, peer.data() + peer.size(), out.port);
  if (read.ec != std::errc() || read.ptr != peer.data() + peer.size()) return {peer, 0};
  if (out.address.starts_with('[')) out.address = out.address.substr(1, out.address.size() - 2);
  return out;
}

std::string pointer(char kind, uint64_t id) { return id == 0 ? "" : kind + std::to_string(id); }

template <class Each>
std::vector<Each> by_id(std::vector<Each> all) {
  std::sort(all.begin(), all.end(), [](const Each& a, const Each& b) { return a.id < b.id; });
  return all;
}

Row client_row(const AdminClient& client, const Clock& clock) {
  const Place place = place_of(client.peer);
  const base::Duration waited = client.waiting_since > 0 ? clock.now - client.waiting_since : 0;
  Row row;
  row.text("C").text(client.user).text(client.database).text(client.replication).text(client.state);
  row.text(place.address).number(place.port).text("").number(0);
  row.text(when(client.connected_at, clock));
  row.text(when(std::max(client.request_at, client.connected_at), clock));
  row.number(seconds(waited)).number(microseconds_beyond(waited)).number(0);
  row.text(pointer('c', client.id)).text(pointer('s', client.server_id)).number(0).text(client.tls);
  row.text(client.application_name).number(0).number(static_cast<int64_t>(client.id));
  return row.text(client.server_user).number(client.worker).text(client.pin);
}

Row server_row(const AdminServer& server, const Clock& clock) {
  const Place place = place_of(server.peer);
  Row row;
  row.text("S").text(server.user).text(server.database).text(server.replication).text(server.state);
  row.text(place.address).number(place.port).text("").number(0);
  row.text(when(server.opened_at, clock)).text(when(server.request_at, clock));
  row.number(0).number(0).number(0);
  row.text(pointer('s', server.id)).text(pointer('c', server.client_id));
  row.number(server.remote_id).text(server.tls).text("").number(0);
  row.number(static_cast<int64_t>(server.id)).text(server.user).number(server.worker);
  return row.text(server.pin);
}

// ---------------------------------------------------------------- all

template <class Source, class Make>
std::vector<Row> each(const std::vector<Source>& from, Make make) {
  std::vector<Row> out;
  for (const Source& one : from) out.push_back(make(one));
  return out;
}

Row name_row(const AdminName& name) {
  std::string addresses;
  for (const std::string& each : name.addresses) addresses += (addresses.empty() ? "" : ",") + each;
  return Row().text(name.host).number(seconds(name.left)).text(addresses);
}

Row help_row(const HelpLine& line) {
  return Row().text(std::string(line.command)).text(std::string(line.meaning));
}

}  // namespace

std::vector<Row> client_rows(const AdminPeople& people, const Clock& clock) {
  return each(by_id(people.clients),
              [&](const AdminClient& client) { return client_row(client, clock); });
}

std::vector<Row> server_rows(const AdminPeople& people, const Clock& clock) {
  return each(by_id(people.servers),
              [&](const AdminServer& server) { return server_row(server, clock); });
}

std::vector<Row> rows_of(Show what, const AdminView& view, const std::string& version) {
  switch (what) {
    case Show::Pools: return each(view.pools(), pool_row);
    case Show::Databases: return each(view.databases(), database_row);
    case Show::Users: return each(view.users(), user_row);
    case Show::Stats:
    case Show::StatsTotals:
    case Show::StatsAverages:
      return each(view.stats(), [what](const AdminStats& one) { return stats_row(what, one); });
    case Show::Lists:
      return each(view.lists(),
                  [](const AdminItem& item) { return Row().text(item.name).number(item.value); });
    case Show::DnsHosts: return each(view.names(), name_row);
    case Show::State:
      return each(view.state(), [](const AdminItem& item) {
        return Row().text(item.name).text(item.value ? "yes" : "no");
      });
    case Show::Config:
      return each(view.options(), [](const AdminOption& option) {
        return Row()
            .text(option.key)
            .text(option.value)
            .text(option.fallback)
            .text(option.changeable ? "yes" : "no");
      });
    case Show::Version: return {Row().text(version)};
    case Show::Help: return each(std::vector<HelpLine>(kHelp, kHelp + kHelpLines), help_row);
    case Show::Clients:
    case Show::Servers: break;
  }
  return {};
}

}  // namespace weir::engine::console
