// Files in memory for pg_hba.conf and pg_ident.conf, and their problems as one text.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <weir/config/hba.h>
#include <weir/config/ident.h>

namespace weir::config {

// "FILE:LINE:COLUMN: what was expected", one on a line.
inline std::string problems_text(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& problem : problems) out += problem.text() + '\n';
  return out;
}

using Texts = std::map<std::string, std::string>;

// A name that ends with / is a directory, and its text the names in it with blanks between.
inline AuthFiles files_of(Texts texts) {
  AuthFiles files;
  files.read = [texts](const std::string& file) -> base::Result<std::optional<std::string>> {
    const auto found = texts.find(file);
    if (found == texts.end()) return std::optional<std::string>();
    if (found->second == "unreadable")
      return base::Error{base::ErrorKind::System, "cannot be read: Permission denied"};
    return std::optional(found->second);
  };
  files.list = [texts](const std::string& name) -> base::Result<std::vector<std::string>> {
    const auto found = texts.find(name + '/');
    if (found == texts.end())
      return base::Error{base::ErrorKind::System, "cannot be read: No such file or directory"};
    std::vector<std::string> names;
    std::istringstream in(found->second);
    for (std::string one; in >> one;) names.push_back(one);
    return names;
  };
  return files;
}

inline HbaFile read_hba(const std::string& text, Texts texts = {}) {
  return parse_hba(text, "etc/hba.conf", files_of(std::move(texts)));
}
inline HbaRules hba(const std::string& text, Texts texts = {}) {
  HbaFile read = read_hba(text, std::move(texts));
  EXPECT_EQ(problems_text(read.problems), "");
  return read.rules;
}
// Its problems without the file's name, where they are in the file itself.
inline std::string hba_problems(const std::string& text, Texts texts = {}) {
  std::string out = problems_text(read_hba(text, std::move(texts)).problems);
  const std::string own = "etc/hba.conf:";
  for (size_t at; (at = out.find(own)) != std::string::npos;) out.erase(at, own.size());
  return out;
}

}  // namespace weir::config
