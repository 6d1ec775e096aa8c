// What is shared while files are read into one Config: the sources with their lines, where each
// option was given, and the problems found so far. Lives for one load().
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/config/load.h>

namespace weir::config {

constexpr size_t kFileBytesMax = 4 << 20;
constexpr size_t kSubstituteBytesMax = 64 << 10;
constexpr size_t kFilesMax = 1000;
constexpr int kIncludeDepthMax = 8;
constexpr size_t kProblemsMax = 100;

struct Place {
  size_t source = 0;
  int line = 0;  // from 1; 0 = the whole file
  int column = 0;
};

// A node with its way from the top ("databases.app.url") and where complaints about it point.
struct Value {
  YAML::Node node;
  std::string path;
  Place place;
};

struct Entry {
  std::string map_path;
  std::string key;
  Place key_place;
  Value value;
};

class Reading {
 public:
  explicit Reading(const Surroundings& around);

  const Surroundings& around() const { return around_; }
  bool clean() const { return problems_.empty(); }

  // A file's text becomes a source; places name it by its number.
  size_t add_source(const std::string& file, std::string_view text);
  const std::string& file_of(size_t source) const { return sources_[source].file; }
  size_t source_count() const { return sources_.size(); }
  // A relative name starts at the directory of the source that contains it.
  std::string resolve(const std::string& name, size_t source) const;

  void complain(Place place, const std::string& path, const std::string& expected);
  void hide_last_line() { problems_.back().source.clear(); }
  // Is there a secret on the line before, or between here and the last line that is not indented?
  bool follows_secret(Place place) const;
  bool block_has_secret(Place place) const;
  // About an option that was read before, or about the section that could have contained it.
  void complain_of(const std::string& path, const std::string& expected);

  // False, with a complaint, when something was given at `path` before.
  bool claim(const std::string& path, Place place);
  bool given(const std::string& path) const { return places_.contains(path); }

  // The entries of a map without its duplicates; an empty value is an empty map.
  std::vector<Entry> entries(const Value& map);
  std::vector<Value> elements(const Value& list);
  // The text of a scalar with ${…} replaced.
  std::optional<std::string> scalar(const Value& value);
  Value top(const YAML::Node& node, size_t source) const;

  // Patterns of files that are to be read after the one at hand.
  void want_files(Value pattern) { wanted_.push_back(std::move(pattern)); }
  std::vector<Value> take_wanted() { return std::exchange(wanted_, {}); }

  std::vector<Problem> take_problems();  // in the order of the files' lines

 private:
  struct Source {
    std::string file;
    std::vector<std::string> lines;
  };
  Value child(const YAML::Node& node, std::string path, Place otherwise) const;
  std::optional<std::string> replacement(const Value& value, const std::string& name);

  const Surroundings& around_;
  std::vector<Source> sources_;
  std::map<std::string, Place, std::less<>> places_;
  std::vector<Problem> problems_;
  std::vector<Place> problem_places_;
  std::vector<Value> wanted_;
};

// "a.b" or a."b c": so that no two ways look alike.
std::string join_path(const std::string& path, const std::string& key);
// The known name that looks most like `name`, or "".
std::string nearest(std::string_view name, const std::vector<std::string>& known);
// Reads a whole file of at most `bytes_max`. The error's text says what is wrong, without the name.
base::Result<std::string> read_file(const std::string& file, size_t bytes_max);

// The line as it may be shown, and nothing that could be a secret.
std::string masked_line(const std::vector<std::string>& lines, size_t index);
std::string masked(std::string_view line);

}  // namespace weir::config
