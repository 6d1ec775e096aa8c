// pg_hba.conf and pg_ident.conf as records of fields of words, with the files that they include.
// Lives for one reading of a file.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/config/auth_file.h>
#include <weir/config/load.h>

namespace weir::config {

struct AuthPlace {
  std::string file;
  int line = 0;    // from 1; 0: the whole file
  int column = 0;  // from 1
};

struct AuthWord {
  std::string text;
  bool quoted = false;  // from its start: then it is neither a keyword nor +group nor @file
  AuthPlace place;

  bool is(std::string_view keyword) const { return !quoted && text == keyword; }
};

// Words with commas between them; none where a file with names has none in it.
struct AuthField {
  std::vector<AuthWord> words;
  AuthPlace place;
};

struct AuthRecord {
  std::vector<AuthField> fields;
  AuthPlace place;  // its start
  AuthPlace end;    // behind its last field
};

class AuthReader {
 public:
  // What becomes of a record: it is read further, or its words go into a field.
  using Sink = std::function<void(AuthRecord record)>;

  explicit AuthReader(AuthFiles files) : files_(std::move(files)) {}

  // The text of `file`, in the order of its lines.
  void read(std::string_view text, const std::string& file, const Sink& sink);
  void complain(const AuthPlace& place, std::string expected);
  std::vector<Problem> take_problems() { return std::move(problems_); }

 private:
  struct Line;
  class Words;

  static Line take_line(std::string_view& text, int number);
  void read_line(const Line& line, const std::string& file, const Sink& sink);
  AuthField read_field(Words& words);
  bool try_include(const AuthRecord& record, const Sink& sink);
  void include(const AuthWord& name, bool may_be_absent, const Sink& sink);
  void include_directory(const AuthWord& name, const Sink& sink);
  bool may_open(const std::string& file, const AuthPlace& from);

  AuthFiles files_;
  std::vector<std::string> open_;  // the file at hand and those that include it
  size_t files_left_ = 1000;
  size_t bytes_left_ = 16 << 20;
  std::vector<Problem> problems_;
};

// One of a list of databases or users. Complains and gives the word itself where it cannot be read.
NameRule read_name(AuthReader& reader, const AuthWord& word);

// Does the rule say so of the user? A user is a member of the role of its own name.
Fit fit_of_user(const NameRule& rule, const std::string& user, const Groups* groups);
Fit fit_of_member(const std::string& role, const std::string& user, const Groups* groups);

}  // namespace weir::config
