// docs/configuration.md names every option of the table with its default, and no other.
#include <sstream>

#include "sample.h"

namespace weir::config {
namespace {

const std::filesystem::path kRoot =
    std::filesystem::path(__FILE__).parent_path() / ".." / ".." / "..";

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  EXPECT_TRUE(in) << file;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::string cell;
  std::istringstream in(row.substr(1));
  while (std::getline(in, cell, '|')) {
    const size_t start = cell.find_first_not_of(' ');
    const size_t end = cell.find_last_not_of(' ');
    cells.push_back(start == std::string::npos ? "" : cell.substr(start, end - start + 1));
  }
  return cells;
}

// Path and default of every row of the tables whose head is "option | takes | default | meaning".
std::map<std::string, std::string> documented_options() {
  std::map<std::string, std::string> found;
  std::istringstream lines(read(kRoot / "docs" / "configuration.md"));
  std::string line;
  bool in_table = false;
  while (std::getline(lines, line)) {
    if (line == "| option | takes | default | meaning |") {
      in_table = true;
    } else if (!line.starts_with('|')) {
      in_table = false;
    } else if (in_table && !line.starts_with("|---")) {
      const auto cells = cells_of(line);
      EXPECT_EQ(cells.size(), 4u) << line;
      const std::string& name = cells.at(0);
      EXPECT_TRUE(name.size() > 2 && name.front() == '`' && name.back() == '`') << line;
      EXPECT_GT(cells.at(3).size(), 5u) << line;
      EXPECT_TRUE(found.emplace(name.substr(1, name.size() - 2), cells.at(2)).second) << line;
    }
  }
  return found;
}

TEST(Documentation, NamesEveryOptionWithItsDefault) {
  auto documented = documented_options();
  for (const OptionText& option : option_texts()) {
    const auto found = documented.find(option.path);
    ASSERT_NE(found, documented.end()) << option.path << " is not in docs/configuration.md";
    if (option.fallback.empty()) {
      EXPECT_TRUE(found->second == "none" || found->second == "required") << option.path;
    } else {
      EXPECT_EQ(found->second, '`' + option.fallback + '`') << option.path;
    }
    documented.erase(found);
  }
  for (const auto& [name, fallback] : documented) {
    ADD_FAILURE() << name << " is in docs/configuration.md, but not an option";
  }
}

TEST(Documentation, TheExampleLoads) {
  const Loaded loaded = load(kRoot / "config" / "weir.yaml", sample_surroundings());
  EXPECT_TRUE(loaded) << loaded.report();
}

// What the example shows as defaults has to be an option and fine, too.
TEST(Documentation, TheExampleLoadsWithItsCommentsTakenOut) {
  std::istringstream lines(read(kRoot / "config" / "weir.yaml"));
  std::string text;
  std::string line;
  while (std::getline(lines, line)) {
    const size_t hash = line.find("# ");
    const bool is_option = hash != std::string::npos && line.find(": ", hash) != std::string::npos;
    if (hash != std::string::npos && line.find_first_not_of(' ') == hash && is_option &&
        line.find("Every option") == std::string::npos) {
      line.erase(hash, 2);
    } else if (line.starts_with("# hosts:")) {
      line.erase(0, 2);
    }
    text += line + '\n';
  }
  Surroundings around = sample_surroundings();
  around.variable = [](const std::string&) { return std::optional<std::string>("x"); };
  const Loaded loaded = load_text(text, "weir.yaml", around);
  EXPECT_EQ(loaded.config.databases.size(), 5u) << text;
  EXPECT_EQ(loaded.config.users.size(), 3u) << text;
  EXPECT_EQ(loaded.config.hosts.size(), 1u) << text;
  EXPECT_EQ(loaded.config.listeners.size(), 4u) << text;
  for (const Problem& problem : loaded.problems) {  // of the files that it mentions
    EXPECT_TRUE(problem.expected.find("No such file") != std::string::npos) << problem.text();
  }
}

}  // namespace
}  // namespace weir::config
