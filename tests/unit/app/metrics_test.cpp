// What /metrics says against docs/metrics.md and against what was counted.
#include "app/metrics.h"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "app_fixture.h"

namespace weir::app {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using session::ClientCount;
using session::EndReason;
using session::OpenResult;

// Labels with their values; those of a label whose values are free are left out.
struct Shape {
  std::string type;
  std::map<std::string, std::set<std::string>> labels;
  friend bool operator==(const Shape&, const Shape&) = default;
};

void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.type;
  for (const auto& [label, values] : shape.labels) {
    *out << " " << label << "=";
    for (const std::string& value : values) *out << value << ",";
  }
}

std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::string cell;
  std::istringstream in(row.substr(1));
  while (std::getline(in, cell, '|')) cells.push_back(cell);
  return cells;
}

// `label` or `label` (value, value), one after the other.
std::map<std::string, std::set<std::string>> labels_in(const std::string& cell) {
  static const std::regex label("`(\\w+)`( \\(([^)]*)\\))?");
  static const std::regex word("\\w+");
  std::map<std::string, std::set<std::string>> out;
  for (std::sregex_iterator at(cell.begin(), cell.end(), label), end; at != end; ++at) {
    auto& values = out[(*at)[1]];
    const std::string list = (*at)[3];
    for (std::sregex_iterator each(list.begin(), list.end(), word); each != end; ++each)
      values.insert(each->str());
  }
  return out;
}

std::map<std::string, Shape> documented() {
  const auto root = std::filesystem::path(__FILE__).parent_path() / ".." / ".." / "..";
  std::ifstream in(root / "docs" / "metrics.md");
  EXPECT_TRUE(in);
  std::map<std::string, Shape> out;
  static const std::regex name(" `((weir|process)_\\w+)` ");
  std::string line;
  while (std::getline(in, line)) {
    std::smatch match;
    if (!line.starts_with("|")) continue;
    const auto cells = cells_of(line);
    if (cells.size() != 4 || !std::regex_match(cells[0], match, name)) continue;
    EXPECT_GT(cells[3].size(), 5u) << line;
    const std::string type = cells[1].substr(1, cells[1].size() - 2);
    EXPECT_TRUE(out.emplace(match[1], Shape{type, labels_in(cells[2])}).second) << line;
  }
  return out;
}

const char* type_name(MetricType type) {
  switch (type) {
    case MetricType::Counter: return "counter";
    case MetricType::Gauge: return "gauge";
    case MetricType::Histogram: return "histogram";
    default: return "?";
  }
}

std::map<std::string, Shape> scraped(const std::vector<MetricFamily>& families) {
  static const std::set<std::string> kFree{"database", "user", "version", "worker"};
  std::map<std::string, Shape> out;
  for (const MetricFamily& family : families) {
    Shape& shape = out[family.name];
    EXPECT_TRUE(shape.type.empty()) << family.name << " comes twice";
    shape.type = type_name(family.type);
    for (const auto& metric : family.metric) {
      for (const auto& label : metric.label) {
        auto& values = shape.labels[label.name];
        if (!kFree.contains(label.name)) values.insert(label.value);
      }
    }
  }
  return out;
}

const prometheus::ClientMetric& find(const std::vector<MetricFamily>& families,
                                     const std::string& name,
                                     const std::map<std::string, std::string>& labels) {
  for (const MetricFamily& family : families) {
    if (family.name != name) continue;
    for (const auto& metric : family.metric) {
      std::map<std::string, std::string> have;
      for (const auto& label : metric.label) have[label.name] = label.value;
      if (have == labels) return metric;
    }
  }
  ADD_FAILURE() << "no " << name;
  static const prometheus::ClientMetric none{};
  return none;
}

class MetricsTest : public AppFixture {};

TEST_F(MetricsTest, AreThoseOfTheDocumentation) {
  const auto expected = documented();
  const auto have = scraped(metrics_.Collect());
  EXPECT_GT(expected.size(), 25u);
  for (const auto& [name, shape] : expected) {
    ASSERT_TRUE(have.contains(name)) << name << " is documented only";
    EXPECT_EQ(have.at(name), shape) << name;
  }
  for (const auto& [name, shape] : have)
    EXPECT_TRUE(expected.contains(name)) << name << " is not documented";
}

TEST_F(MetricsTest, SumTheWorkers) {
  app_.stats(0).queries.add(3);
  app_.stats(1).queries.add(4);
  app_.stats(1).clients[ClientCount::Idle].add(5);
  app_.stats(0).opens[OpenResult::Refused].add(2);
  strangers_[1].clients[ClientCount::Login].add(6);
  strangers_[0].ends[EndReason::LoginFailed].add(7);
  const auto families = metrics_.Collect();
  const auto app = [](std::string label, std::string value) {
    return std::map<std::string, std::string>{
        {"database", "app"}, {"user", "alice"}, {label, value}};
  };
  EXPECT_EQ(
      find(families, "weir_queries_total", {{"database", "app"}, {"user", "alice"}}).counter.value,
      7);
  EXPECT_EQ(find(families, "weir_clients", app("state", "idle")).gauge.value, 5);
  EXPECT_EQ(find(families, "weir_server_opens_total", app("result", "refused")).counter.value, 2);
  EXPECT_EQ(find(families, "weir_clients", {{"state", "login"}}).gauge.value, 6);
  EXPECT_EQ(find(families, "weir_errors_total", {{"kind", "login_failed"}}).counter.value, 7);
}

TEST_F(MetricsTest, HistogramsAreCumulative) {
  for (const base::Duration took : {1, 16, 17, 1000, 1000000, 60000000, 70000000})
    app_.stats(0).query.observe(took);
  app_.stats(1).query.observe(30);
  const auto families = metrics_.Collect();
  const auto& histogram =
      find(families, "weir_query_seconds", {{"database", "app"}, {"user", "alice"}}).histogram;
  ASSERT_EQ(histogram.bucket.size(), static_cast<size_t>(base::Histogram::kBuckets));
  EXPECT_DOUBLE_EQ(histogram.bucket[0].upper_bound, 16e-6);
  EXPECT_EQ(histogram.bucket[0].cumulative_count, 2u);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 4u);
  for (size_t i = 1; i < histogram.bucket.size(); ++i) {
    EXPECT_GT(histogram.bucket[i].upper_bound, histogram.bucket[i - 1].upper_bound);
    EXPECT_GE(histogram.bucket[i].cumulative_count, histogram.bucket[i - 1].cumulative_count);
  }
  EXPECT_EQ(histogram.bucket[22].cumulative_count, 7u);
  EXPECT_TRUE(std::isinf(histogram.bucket.back().upper_bound));
  EXPECT_EQ(histogram.bucket.back().cumulative_count, 8u);
  EXPECT_EQ(histogram.sample_count, 8u);
  EXPECT_NEAR(histogram.sample_sum, 131.001064, 1e-9);
  const std::string text = prometheus::TextSerializer().Serialize(families);
  EXPECT_NE(text.find("weir_query_seconds_bucket{database=\"app\",user=\"alice\",le=\"+Inf\"} 8\n"),
            text.npos);
}

std::map<std::string, double> counters(const std::vector<MetricFamily>& families) {
  std::map<std::string, double> out;
  for (const MetricFamily& family : families) {
    for (const auto& metric : family.metric) {
      std::string key = family.name;
      for (const auto& label : metric.label) key += " " + label.name + "=" + label.value;
      if (family.type == MetricType::Counter) out[key] = metric.counter.value;
      if (family.type == MetricType::Histogram)
        out[key] = static_cast<double>(metric.histogram.sample_count);
    }
  }
  return out;
}

TEST_F(MetricsTest, CountersNeverGoBack) {
  auto before = counters(metrics_.Collect());
  for (uint32_t round = 0; round < 20; ++round) {
    session::Stats& stats = app_.stats(round % 2);
    stats.queries.add(round);
    stats.transaction.observe(round * 1000);
    stats.ends[static_cast<EndReason>(round % base::Tally<EndReason>::kSize)].add();
    stats.clients[ClientCount::Active].add(round % 2 ? -1 : 1);
    if (round == 10) add_backend("late");
    const auto now = counters(metrics_.Collect());
    for (const auto& [name, value] : before) {
      ASSERT_TRUE(now.contains(name)) << name << " is gone";
      EXPECT_GE(now.at(name), value) << name;
    }
    before = now;
  }
}

TEST_F(MetricsTest, ServersByState) {
  pool::Orders orders;
  pool::Waiter waiter;
  waiter.ticket = {0, 1, 1};
  const base::Time now = base::steady_now();
  EXPECT_EQ(app_.pool().acquire(waiter, now - 3 * base::kSecond, orders), nullptr);
  auto families = metrics_.Collect();
  const std::map<std::string, std::string> app{{"database", "app"}, {"user", "alice"}};
  EXPECT_EQ(find(families, "weir_pool_waiting", app).gauge.value, 1);
  EXPECT_NEAR(find(families, "weir_pool_wait_seconds_max", app).gauge.value, 3, 1);
  auto server = std::make_unique<PlainServer>();
  app_.pool().opened(std::move(server), now, orders);
  app_.stats(0).resetting.add();
  families = metrics_.Collect();
  auto state = app;
  state["state"] = "active";
  EXPECT_EQ(find(families, "weir_servers", state).gauge.value, 0);
  state["state"] = "resetting";
  EXPECT_EQ(find(families, "weir_servers", state).gauge.value, 1);
  EXPECT_DOUBLE_EQ(find(families, "weir_pool_utilization", app).gauge.value, 0.25);
}

}  // namespace
}  // namespace weir::app
