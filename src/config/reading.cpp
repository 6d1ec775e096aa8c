#include "reading.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <numeric>
#include <tuple>

namespace weir::config {

namespace {

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string line(text.substr(0, end));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

bool is_plain_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t swap = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, swap});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string join_path(const std::string& path, const std::string& key) {
  const std::string safe = masked(key);
  const std::string last = is_plain_key(safe) ? safe : '"' + safe + '"';
  return path.empty() ? last : path + '.' + last;
}

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& one : known) {
    const size_t distance = edit_distance(name.substr(0, 64), one);
    if (distance >= best_distance || distance >= one.size()) continue;
    best = one;
    best_distance = distance;
  }
  return best;
}

base::Result<std::string> read_file(const std::string& file, size_t bytes_max) {
  const auto failed = [](std::string why) { return base::Error{base::ErrorKind::System, why}; };
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return failed("cannot be read: " + std::string(std::strerror(errno)));
  std::string text;
  std::array<char, 16384> block;
  do {
    in.read(block.data(), block.size());
    text.append(block.data(), static_cast<size_t>(in.gcount()));
  } while (in && text.size() <= bytes_max);
  if (in.bad() || (text.empty() && !in.eof())) return failed("cannot be read: not a file");
  if (text.size() > bytes_max) {
    return failed("is larger than " + std::to_string(bytes_max >> 10) + "KiB");
  }
  return text;
}

Reading::Reading(const Surroundings& around) : around_(around) {}

size_t Reading::add_source(const std::string& file, std::string_view text) {
  sources_.push_back({file, split_lines(text)});
  return sources_.size() - 1;
}

std::string Reading::resolve(const std::string& name, size_t source) const {
  if (name.empty() || name[0] == '/') return name;
  const std::string& file = sources_[source].file;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? name : file.substr(0, slash + 1) + name;
}

void Reading::complain(Place place, const std::string& path, const std::string& expected) {
  Problem problem{sources_[place.source].file, place.line, place.column, path, expected, {}};
  const auto& lines = sources_[place.source].lines;
  const auto index = static_cast<size_t>(place.line) - 1;
  if (place.line > 0 && index < lines.size()) {
    problem.source = masked_line(lines, index);
    // Under users, even what stands in a wrong place may be somebody's password.
    const bool may_be_secret = path == "users" || path.starts_with("users.");
    if (may_be_secret && problem.source == lines[index] &&
        expected.find("map") != std::string::npos) {
      problem.source = problem.source.substr(0, static_cast<size_t>(place.column) - 1) + "***";
    }
  }
  problems_.push_back(std::move(problem));
  problem_places_.push_back(place);
}

void Reading::complain_of(const std::string& path, const std::string& expected) {
  std::string near = path;
  while (!near.empty() && !places_.contains(near)) {
    const size_t dot = near.find_last_of(".[");
    near = dot == std::string::npos ? std::string() : near.substr(0, dot);
  }
  const auto found = places_.find(near);
  complain(found == places_.end() ? Place{} : found->second, path, expected);
}

bool Reading::claim(const std::string& path, Place place) {
  const auto [at, is_new] = places_.emplace(path, place);
  if (is_new) return true;
  const Place& first = at->second;
  std::string where = sources_[first.source].file;
  if (first.line > 0) {
    where += ':' + std::to_string(first.line) + ':' + std::to_string(first.column);
  }
  complain(place, path, "given before, at " + where);
  return false;
}

Value Reading::child(const YAML::Node& node, std::string path, Place otherwise) const {
  Place place = otherwise;
  if (!node.IsNull() && node.Mark().line >= 0) {
    place.line = node.Mark().line + 1;
    place.column = node.Mark().column + 1;
  }
  return {node, std::move(path), place};
}

Value Reading::top(const YAML::Node& node, size_t source) const {
  return child(node, {}, {source, 1, 1});
}

std::vector<Entry> Reading::entries(const Value& map) {
  std::vector<Entry> found;
  if (map.node.IsNull()) return found;
  if (!map.node.IsMap()) {
    complain(map.place, map.path, "expected a map of keys and values");
    return found;
  }
  std::map<std::string, int> lines;
  for (const auto& pair : map.node) {
    const Value key = child(pair.first, map.path, map.place);
    if (!pair.first.IsScalar()) {
      complain(key.place, map.path, "expected a plain word as key of the map");
      continue;
    }
    std::string name = pair.first.Scalar();
    const std::string path = join_path(map.path, name);
    const auto [before, is_new] = lines.emplace(name, key.place.line);
    if (!is_new) {
      complain(key.place, path,
               "duplicate key, given before on line " + std::to_string(before->second));
      continue;
    }
    found.push_back({map.path, std::move(name), key.place, child(pair.second, path, key.place)});
  }
  return found;
}

std::vector<Value> Reading::elements(const Value& list) {
  std::vector<Value> found;
  if (!list.node.IsSequence()) {
    complain(list.place, list.path, "expected a list");
    return found;
  }
  for (size_t i = 0; i < list.node.size(); ++i) {
    found.push_back(child(list.node[i], list.path + '[' + std::to_string(i) + ']', list.place));
  }
  return found;
}

std::vector<Problem> Reading::take_problems() {
  std::vector<size_t> order(problems_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
    const Place& x = problem_places_[a];
    const Place& y = problem_places_[b];
    return std::tie(x.source, x.line, x.column) < std::tie(y.source, y.line, y.column);
  });
  std::vector<Problem> sorted;
  for (const size_t i : order) sorted.push_back(std::move(problems_[i]));
  problems_.clear();
  problem_places_.clear();
  return sorted;
}

}  // namespace weir::config
