// The page for people: one document without scripts, which fetches itself again every few seconds.
#include <fmt/format.h>

#include <algorithm>

#include "page.h"

namespace weir::app {

using session::ClientCount;
using session::Stats;

namespace {

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>weir</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="5">
<style>
:root { --page:#f4f6f7; --card:#fff; --ink:#16242b; --soft:#5c6d75; --line:#dfe5e8; --water:#1f7a99; --good:#2c8a57;
  --warn:#b4600d; }
@media (prefers-color-scheme: dark) { :root { --page:#0f171b; --card:#172329; --ink:#e3ecef; --soft:#92a4ac;
  --line:#26363e; --water:#52b3d4; --good:#5fc48c; --warn:#f0a04b; } }
* { box-sizing:border-box; }
body { margin:0 auto; padding:1.5rem 1rem 3rem; max-width:68rem; background:var(--page); color:var(--ink);
  font:15px/1.5 system-ui, sans-serif; }
header { display:flex; flex-wrap:wrap; align-items:baseline; gap:.3rem .8rem; padding-bottom:1rem; }
h1 { margin:0; font-size:1.7rem; letter-spacing:-.02em; color:var(--water); }
header small { color:var(--soft); }
.state { margin-left:auto; font-weight:600; color:var(--good); }
.state::before { content:""; display:inline-block; width:.6em; height:.6em; margin-right:.45em; border-radius:50%;
  background:currentColor; }
.warn, .state.warn { color:var(--warn); font-weight:600; }
.tiles { display:grid; grid-template-columns:repeat(auto-fit, minmax(8.5rem, 1fr)); gap:.7rem; margin-bottom:1.2rem; }
.tile, .pools { background:var(--card); border:1px solid var(--line); border-radius:.6rem; }
.tile { padding:.7rem .9rem; }
.tile b { display:block; font-size:1.45rem; line-height:1.25; font-variant-numeric:tabular-nums; }
.tile span { color:var(--soft); font-size:.85rem; }
.pools { overflow-x:auto; }
table { width:100%; border-collapse:collapse; font-variant-numeric:tabular-nums; }
th, td { padding:.55rem .8rem; text-align:right; white-space:nowrap; }
th { color:var(--soft); font-size:.8rem; font-weight:500; }
th:first-child, td:first-child { text-align:left; }
tr + tr td, thead + tbody td { border-top:1px solid var(--line); }
td small { color:var(--soft); font-weight:400; }
.bar { display:inline-block; width:4.5rem; height:.5rem; margin-right:.6rem; border-radius:.25rem;
  background:var(--line); overflow:hidden; }
.bar i { display:block; height:100%; background:var(--water); }
.why td { padding-top:0; border:0; color:var(--warn); text-align:left; white-space:normal; }
.none { margin:0; padding:1.2rem .9rem; color:var(--soft); }
footer { margin-top:1.2rem; color:var(--soft); font-size:.9rem; }
a { color:var(--water); margin-right:.9rem; }
@media (max-width: 40rem) {
  thead { display:none; }
  tr { display:grid; grid-template-columns:1fr 1fr; padding:.7rem .9rem; }
  tr + tr { border-top:1px solid var(--line); }
  td, tr + tr td, thead + tbody td { border:0; padding:.1rem 0; text-align:left; white-space:normal;
    overflow-wrap:anywhere; }
  td:first-child { grid-column:1 / -1; font-weight:600; }
  td:not(:first-child)::before { content:attr(data-label) " "; color:var(--soft); font-size:.85rem; }
}
</style></head><body>
)";

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min", whole / 60);
  if (whole < 172800) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

// 12345678 -> 12 345 678, with thin spaces.
std::string number_text(int64_t value) {
  const std::string digits = std::to_string(value);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += "&#8239;";
    out += digits[i];
  }
  return out;
}

std::string tile(const std::string& value, std::string_view name) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", value, name);
}

std::string cell(std::string_view label, const std::string& value, bool warn = false) {
  return fmt::format("<td data-label=\"{}\"{}>{}</td>", label, warn ? " class=\"warn\"" : "",
                     value);
}

int64_t queries(const Sample& sample) {
  return sample.sum([](const Stats& s) -> auto& { return s.queries; });
}

std::string waiting_text(const pool::Snapshot& pool) {
  if (pool.waiting == 0 || pool.oldest_wait_since == base::kNever)
    return std::to_string(pool.waiting);
  const base::Duration longest =
      std::max<base::Duration>(0, base::steady_now() - pool.oldest_wait_since);
  return fmt::format("{} <small>up to {:.1f} s</small>", pool.waiting,
                     static_cast<double>(longest) / base::kSecond);
}

std::string pool_row(const Sample& sample) {
  const pool::Snapshot& pool = *sample.pool;
  const int share = pool.size > 0 ? std::clamp(100 * pool.busy / pool.size, 0, 100) : 0;
  std::string row = fmt::format("<tr><td>{} <small>{}{}</small></td>", escape_html(sample.database),
                                escape_html(sample.user), pool.paused ? ", paused" : "");
  row += cell("size", fmt::format("<span class=\"bar\"><i style=\"width:{}%\"></i></span>{}", share,
                                  pool.size));
  row += cell("active", std::to_string(pool.busy));
  row += cell("idle", std::to_string(pool.idle));
  row += cell("opening", std::to_string(pool.opening));
  row += cell("waiting", waiting_text(pool), pool.waiting > 0);
  row += cell("clients", number_text(sample.all_clients()));
  row += cell("queries", number_text(queries(sample)));
  row += "</tr>\n";
  if (!pool.last_error.empty())
    row += fmt::format(
        "<tr class=\"why\"><td colspan=\"8\">the last attempt to open a server: {}</td></tr>\n",
        escape_html(pool.last_error));
  return row;
}

std::string pools_table(const std::vector<Sample>& samples) {
  std::string rows;
  for (const Sample& sample : samples)
    if (sample.pool) rows += pool_row(sample);
  if (rows.empty())
    return "<p class=\"none\">No pool yet: the first client of a database makes one.</p>\n";
  return "<table><thead><tr><th>database <small>user</small></th><th>in use of "
         "size</th><th>active</th>"
         "<th>idle</th><th>opening</th><th>waiting</th><th>clients</th><th>queries</th></tr></"
         "thead>\n<tbody>" +
         rows + "</tbody></table>\n";
}

std::string tiles(const Overview& overview) {
  int64_t clients = 0, waiting = 0, answered = 0;
  int open = 0;
  for (const Sample& sample : overview.samples) {
    clients += sample.all_clients();
    waiting += sample.clients(ClientCount::Waiting);
    answered += queries(sample);
    if (sample.pool) open += sample.pool->busy + sample.pool->idle;
  }
  return "<div class=\"tiles\">" + tile(number_text(clients), "clients") +
         tile(number_text(waiting), "waiting") + tile(number_text(open), "server connections") +
         tile(number_text(answered), "queries") +
         tile(duration_text(overview.uptime_seconds), "up") +
         tile(fmt::format("{:.1f} MB", overview.resident_bytes / 1e6), "memory") + "</div>\n";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string page_html(const Overview& overview) {
  const std::string state = overview.state.empty() ? "ready" : escape_html(overview.state);
  std::string out = kHead;
  out += fmt::format(
      "<header><h1>weir</h1><small>{}</small><span class=\"state{}\">{}</span></header>\n",
      WEIR_VERSION, overview.state.empty() ? "" : " warn", state);
  out += tiles(overview);
  out += "<div class=\"pools\">" + pools_table(overview.samples) + "</div>\n";
  out +=
      "<footer><a href=\"/metrics\">metrics</a><a href=\"/readyz\">readyz</a><a "
      "href=\"/healthz\">healthz</a>"
      "refreshes every 5 s</footer>\n</body></html>\n";
  return out;
}

}  // namespace weir::app
