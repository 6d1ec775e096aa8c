#include "metrics.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "process.h"

namespace weir::app {

using base::Counter;
using base::Histogram;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using session::CancelResult;
using session::ClientCount;
using session::CloseReason;
using session::EndReason;
using session::LoginResult;
using session::OpenResult;
using session::Stats;

namespace {

using Samples = std::vector<Sample>;
using Label = ClientMetric::Label;
using Labels = std::vector<Label>;

constexpr double kMicrosecond = 1e-6;

// The families of one scrape, filled one after the other.
class Families {
 public:
  Families& begin(MetricType type, const char* name, const char* help) {
    done_.push_back({name, help, type, {}});
    return *this;
  }
  void add(Labels labels, double value) {
    ClientMetric& metric = add(std::move(labels));
    metric.gauge.value = metric.counter.value = value;
  }
  void add(const Sample& sample, double value) { add(names(sample), value); }
  void add(const Sample& sample, Label more, double value) {
    add(names(sample, std::move(more)), value);
  }
  void add_one(MetricType type, std::pair<const char*, const char*> name_and_help, double value) {
    begin(type, name_and_help.first, name_and_help.second).add(Labels{}, value);
  }
  void add(const Sample& sample, ClientMetric::Histogram histogram) {
    add(names(sample), std::move(histogram));
  }
  void add(Labels labels, ClientMetric::Histogram histogram) {
    add(std::move(labels)).histogram = std::move(histogram);
  }
  std::vector<MetricFamily> take() { return std::move(done_); }

 private:
  ClientMetric& add(Labels labels) {
    ClientMetric& metric = done_.back().metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }
  static Labels names(const Sample& sample) {
    if (!sample.pool) return {};
    return {{"database", sample.database}, {"user", sample.user}};
  }
  static Labels names(const Sample& sample, Label more) {
    Labels out = names(sample);
    out.push_back(std::move(more));
    return out;
  }

  std::vector<MetricFamily> done_;
};

// ---------------------------------------------------------------- what is now

void add_clients(Families& out, const Samples& samples) {
  out.begin(MetricType::Gauge, "weir_clients", "Client connections, by what they do");
  for (const Sample& sample : samples) {
    for (size_t i = 0; i < base::Tally<ClientCount>::kSize; ++i) {
      const auto state = static_cast<ClientCount>(i);
      if (!sample.pool && state != ClientCount::Login) continue;
      out.add(sample, {"state", label(state)}, static_cast<double>(sample.clients(state)));
    }
  }
}

void add_pinned(Families& out, const Samples& samples) {
  out.begin(MetricType::Gauge, "weir_pinned_clients",
            "Clients that keep a server outside a transaction");
  for (const Sample& sample : samples)
    if (sample.pool) out.add(sample, static_cast<double>(sample.pinned()));
}

void add_servers(Families& out, const Samples& samples) {
  out.begin(MetricType::Gauge, "weir_servers", "Server connections, by what they do");
  for (const Sample& sample : samples) {
    if (!sample.pool) continue;
    const auto add = [&](const char* state, int64_t value) {
      out.add(sample, {"state", state}, static_cast<double>(value));
    };
    add("active", sample.active());
    add("idle", sample.pool->idle);
    add("opening", sample.pool->opening);
    add("resetting", sample.resetting());
    add("checking", sample.checking());
  }
}

double utilization(const pool::Snapshot& pool) {
  return pool.size > 0 ? 1.0 * pool.busy / pool.size : 0;
}

double longest_wait(const pool::Snapshot& pool) {
  if (pool.oldest_wait_since == base::kNever) return 0;
  return static_cast<double>(
             std::max<base::Duration>(0, base::steady_now() - pool.oldest_wait_since)) *
         kMicrosecond;
}

struct PoolGauge {
  const char* name;
  const char* help;
  double (*value)(const pool::Snapshot& pool);
};

constexpr PoolGauge kPoolGauges[] = {
    {"weir_pool_size", "Server connections that the pool may hold, without overflow",
     [](const pool::Snapshot& pool) -> double { return pool.size; }},
    {"weir_pool_utilization", "Share of the pool's size that is in use; above 1 with overflow",
     utilization},
    {"weir_pool_waiting", "Clients that wait for a server",
     [](const pool::Snapshot& pool) -> double { return pool.waiting; }},
    {"weir_pool_wait_seconds_max", "How long the client has waited that waits longest now",
     longest_wait},
};

void add_pools(Families& out, const Samples& samples) {
  for (const PoolGauge& gauge : kPoolGauges) {
    out.begin(MetricType::Gauge, gauge.name, gauge.help);
    for (const Sample& sample : samples)
      if (sample.pool) out.add(sample, gauge.value(*sample.pool));
  }
}

// ---------------------------------------------------------------- how long

struct Timing {
  const char* name;
  const char* help;
  Histogram Stats::*histogram;
};

constexpr Timing kTimings[] = {
    {"weir_acquire_seconds", "Time until a client got a server", &Stats::acquire},
    {"weir_attach_seconds", "Time to put a client's settings in force on a server", &Stats::attach},
    {"weir_query_seconds", "From a request to the end of its answer", &Stats::query},
    {"weir_transaction_seconds", "How long a client kept its server", &Stats::transaction},
};

ClientMetric::Histogram sum_up(const std::vector<const Histogram*>& parts) {
  ClientMetric::Histogram out;
  for (int i = 0; i < Histogram::kBuckets; ++i) {
    for (const Histogram* part : parts) out.sample_count += static_cast<uint64_t>(part->count(i));
    const bool last = i == Histogram::kBuckets - 1;
    const double bound = static_cast<double>(Histogram::upper_bound(i)) * kMicrosecond;
    out.bucket.push_back({out.sample_count, last ? INFINITY : bound});
  }
  for (const Histogram* part : parts)
    out.sample_sum += static_cast<double>(part->sum()) * kMicrosecond;
  return out;
}

ClientMetric::Histogram sum_up(const Sample& sample, Histogram Stats::*which) {
  std::vector<const Histogram*> parts;
  for (const Stats* slot : sample.slots) parts.push_back(&(slot->*which));
  return sum_up(parts);
}

void add_timings(Families& out, const Samples& samples) {
  for (const Timing& timing : kTimings) {
    out.begin(MetricType::Histogram, timing.name, timing.help);
    for (const Sample& sample : samples)
      if (sample.pool) out.add(sample, sum_up(sample, timing.histogram));
  }
}

void add_turns(Families& out, const std::vector<const Histogram*>& turns) {
  out.begin(MetricType::Histogram, "weir_loop_turn_seconds",
            "How long each turn of a worker's event loop took");
  for (size_t i = 0; i < turns.size(); ++i)
    out.add(Labels{{"worker", std::to_string(i)}}, sum_up({turns[i]}));
}

// ---------------------------------------------------------------- what has been

struct Count {
  const char* name;
  const char* help;
  Counter Stats::*counter;
};

constexpr Count kCounts[] = {
    {"weir_queries_total", "Requests that servers have answered", &Stats::queries},
    {"weir_transactions_total", "Transactions that have ended", &Stats::transactions},
    {"weir_slow_queries_total", "Requests that took log.slow_query or longer",
     &Stats::slow_queries},
    {"weir_acquire_timeouts_total", "Clients that waited for a server in vain",
     &Stats::acquire_timeouts},
};

void add_counts(Families& out, const Samples& samples) {
  for (const Count& count : kCounts) {
    out.begin(MetricType::Counter, count.name, count.help);
    for (const Sample& sample : samples)
      if (sample.pool)
        out.add(sample, static_cast<double>(
                            sample.sum([&](const Stats& s) -> auto& { return s.*count.counter; })));
  }
}

// One family whose label takes the names of an enum.
template <class E>
struct Split {
  const char* name;
  const char* help;
  const char* label;
  base::Tally<E> Stats::*tally;
};

template <class E>
void add_tally(Families& out, const Sample& sample, const Split<E>& split) {
  for (size_t i = 0; i < base::Tally<E>::kSize; ++i) {
    const auto each = static_cast<E>(i);
    const int64_t value =
        sample.sum([&](const Stats& s) -> auto& { return (s.*split.tally)[each]; });
    out.add(sample, {split.label, session::label(each)}, static_cast<double>(value));
  }
}

template <class E>
void add_split(Families& out, const Samples& samples, const Split<E>& split) {
  out.begin(MetricType::Counter, split.name, split.help);
  for (const Sample& sample : samples) add_tally(out, sample, split);
}

// Answers, and the ends of sessions but for a client that says goodbye.
void add_errors(Families& out, const Samples& samples) {
  out.begin(MetricType::Counter, "weir_errors_total", "What went wrong for a client, by kind");
  for (const Sample& sample : samples) {
    const auto add = [&](const char* kind, auto pick) {
      out.add(sample, {"kind", kind}, static_cast<double>(sample.sum(pick)));
    };
    if (sample.pool) {
      add(
          "query", [](const Stats& s) -> auto& { return s.server_errors; });
      add(
          "no_server", [](const Stats& s) -> auto& { return s.own_errors; });
    }
    for (size_t i = 0; i < base::Tally<EndReason>::kSize; ++i) {
      const auto reason = static_cast<EndReason>(i);
      if (reason != EndReason::ClientLeft)
        add(
            label(reason), [reason](const Stats& s) -> auto& { return s.ends[reason]; });
    }
  }
}

void add_bytes(Families& out, const Samples& samples) {
  out.begin(MetricType::Counter, "weir_bytes_total",
            "Bytes received from (in) and sent to (out) each side");
  for (const Sample& sample : samples) {
    if (!sample.pool) continue;
    const auto add = [&](const char* side, const char* direction, Counter Stats::*counter) {
      const int64_t value = sample.sum([&](const Stats& s) -> auto& { return s.*counter; });
      out.add({{"database", sample.database},
               {"user", sample.user},
               {"side", side},
               {"direction", direction}},
              static_cast<double>(value));
    };
    add("client", "in", &Stats::client_in);
    add("client", "out", &Stats::client_out);
    add("server", "in", &Stats::server_in);
    add("server", "out", &Stats::server_out);
  }
}

void add_results(Families& out, const Samples& samples) {
  add_errors(out, samples);
  add_split<CancelResult>(
      out, samples,
      {"weir_cancels_total", "Cancels, by what became of them", "result", &Stats::cancels});
  add_bytes(out, samples);
  add_split<LoginResult>(
      out, samples, {"weir_client_logins_total", "Logins of clients", "result", &Stats::logins});
  const Samples pools(samples.begin(),
                      std::find_if(samples.begin(), samples.end(),
                                   [](const Sample& sample) { return !sample.pool; }));
  add_split<OpenResult>(
      out, pools,
      {"weir_server_opens_total", "Attempts to open a server connection", "result", &Stats::opens});
  add_split<CloseReason>(
      out, pools,
      {"weir_server_closes_total", "Server connections closed", "reason", &Stats::closes});
  add_split<protocol::Pin>(
      out, pools,
      {"weir_pins_total", "Servers kept outside a transaction, by why", "reason", &Stats::pins});
}

// ---------------------------------------------------------------- weir itself

void add_weir(Families& out, const Reloads& reloads) {
  out.begin(MetricType::Counter, "weir_config_reloads_total", "Reloads of the configuration");
  out.add(Labels{{"result", "ok"}}, static_cast<double>(reloads.good.value()));
  out.add(Labels{{"result", "failed"}}, static_cast<double>(reloads.failed.value()));
  out.add_one(
      MetricType::Gauge,
      {"weir_config_last_reload_success", "1 when the last reload worked, or there was none"},
      reloads.last_good ? 1 : 0);
  out.begin(MetricType::Gauge, "weir_build_info", "Always 1; the version is a label");
  out.add(Labels{{"version", WEIR_VERSION}}, 1);
}

void add_process(Families& out) {
  const ProcessFigures process = process_figures();
  out.add_one(MetricType::Counter, {"process_cpu_seconds_total", "CPU time, user and system"},
              process.cpu_seconds);
  out.add_one(MetricType::Gauge, {"process_resident_memory_bytes", "Memory in use"},
              process.resident_bytes);
  out.add_one(MetricType::Gauge, {"process_virtual_memory_bytes", "Address space"},
              process.virtual_bytes);
  out.add_one(MetricType::Gauge, {"process_open_fds", "Open files and sockets"},
              process.open_files);
  out.add_one(MetricType::Gauge, {"process_max_fds", "Limit of open files and sockets"},
              process.open_files_max);
  out.add_one(MetricType::Gauge,
              {"process_start_time_seconds", "When the process started, since 1970"},
              process.started_at);
  out.add_one(MetricType::Gauge, {"process_threads", "Threads"}, process.threads);
}

}  // namespace

// ---------------------------------------------------------------- Sample

// A client that goes from one state to another while it is counted may be missed or seen twice,
// never more.
int64_t Sample::clients(ClientCount state) const {
  return std::max<int64_t>(0, sum([state](const Stats& s) -> auto& { return s.clients[state]; }));
}

int64_t Sample::all_clients() const {
  int64_t total = 0;
  for (size_t i = 0; i < base::Tally<ClientCount>::kSize; ++i)
    total += clients(static_cast<ClientCount>(i));
  return total;
}

int64_t Sample::resetting() const {
  return std::max<int64_t>(0, sum([](const Stats& s) -> auto& { return s.resetting; }));
}

int64_t Sample::checking() const {
  return std::max<int64_t>(0, sum([](const Stats& s) -> auto& { return s.checking; }));
}

int64_t Sample::pinned() const {
  return std::max<int64_t>(0, sum([](const Stats& s) -> auto& { return s.pinned_clients; }));
}

int64_t Sample::active() const {
  return pool ? std::max<int64_t>(0, pool->busy - resetting() - checking()) : 0;
}

// ---------------------------------------------------------------- Metrics

std::vector<Sample> Metrics::samples() const {
  std::vector<Sample> out;
  for (const auto& backend : sources_.backends()) {
    const pool::Snapshot pool = backend->pool().snapshot();
    const bool is_new = out.empty() || out.back().database != backend->database() ||
                        out.back().user != backend->user();
    if (is_new)
      out.push_back({backend->database(), backend->user(), pool, {}, {}});
    else
      out.back().pool->add(pool);  // of a replication client
    Sample& sample = out.back();
    sample.backends.push_back(backend);
    for (const Stats& slot : std::as_const(*backend).stats()) sample.slots.push_back(&slot);
  }
  out.push_back({"", "", {}, sources_.strangers, {}});
  return out;
}

std::vector<MetricFamily> Metrics::Collect() const {
  const Samples all = samples();
  Families out;
  add_weir(out, sources_.reloads);
  add_clients(out, all);
  add_pinned(out, all);
  add_servers(out, all);
  add_pools(out, all);
  add_timings(out, all);
  add_turns(out, sources_.turns);
  add_counts(out, all);
  add_results(out, all);
  add_process(out);
  return out.take();
}

}  // namespace weir::app
