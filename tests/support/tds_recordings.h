// The recorded conversations in tests/support/tds_traces: two streams of bytes each.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace weir::tds::recordings {

struct Recording {
  std::string name;
  std::string client, server;  // what each has said
};

inline std::string unhex(const std::string& text) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return out;
}

// A chunk is one line: {"dir":"c2s","t":1,"hex":"1201"}
inline std::string value_in(const std::string& line, const std::string& name) {
  const std::string before = "\"" + name + "\":\"";
  const size_t at = line.find(before);
  if (at == std::string::npos) return {};
  const size_t begin = at + before.size();
  return line.substr(begin, line.find('"', begin) - begin);
}

inline Recording read(const std::filesystem::path& file) {
  Recording recording{file.stem().string(), {}, {}};
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::string direction = value_in(line, "dir");
    if (direction.empty()) continue;
    (direction == "c2s" ? recording.client : recording.server) += unhex(value_in(line, "hex"));
  }
  return recording;
}

inline const std::vector<Recording>& all() {
  static const std::vector<Recording> recordings = [] {
    std::vector<Recording> found;
    const auto folder = std::filesystem::path(__FILE__).parent_path() / "tds_traces";
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".json") found.push_back(read(entry.path()));
    std::sort(found.begin(), found.end(),
              [](const Recording& a, const Recording& b) { return a.name < b.name; });
    return found;
  }();
  return recordings;
}

}  // namespace weir::tds::recordings
