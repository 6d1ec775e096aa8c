// PostgreSQL's chapter "The pg_hba.conf File" says what a line is made of: words between blanks,
// lists with commas, "" for a quote in quotes, # for a comment, a \ at the end for one more line.
#include "auth_lines.h"

#include <algorithm>
#include <filesystem>

#include "reading.h"

namespace weir::config {

namespace {

constexpr size_t kAuthDepthMax = 10;  // as in PostgreSQL

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string relative_to(const std::string& file, const std::string& name) {
  if (name.starts_with('/')) return name;
  return file.substr(0, file.rfind('/') + 1) + name;
}

base::Result<std::optional<std::string>> read_from_disk(const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::optional<std::string>();
  auto text = read_file(file, kFileBytesMax);
  if (!text) return text.error();
  return std::optional(std::move(*text));
}

base::Result<std::vector<std::string>> list_on_disk(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator at(directory, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error))
    if (std::error_code ignored; !at->is_directory(ignored))
      names.push_back(at->path().filename().string());
  if (error) return base::Error{base::ErrorKind::System, "cannot be read: " + error.message()};
  return names;
}

}  // namespace

// A line with those that continue it. `starts` are the places of their first bytes.
struct AuthReader::Line {
  std::string text;
  std::vector<size_t> starts;
  int number = 0;
};

// The words of a line, one after the other.
class AuthReader::Words {
 public:
  Words(const Line& line, const std::string& file) : line_(line), file_(file) {}

  // Over blanks and commas, as PostgreSQL goes. False at the end or at a comment.
  bool advance() {
    while (at_ < text().size() && (is_blank(text()[at_]) || text()[at_] == ',')) ++at_;
    return at_ < text().size() && text()[at_] != '#';
  }
  AuthWord take();
  bool follows_comma() const { return at_ < text().size() && text()[at_] == ','; }
  bool is_closed() const { return is_closed_; }  // had the last word its second quote?

  AuthPlace place() const {
    const auto after = std::upper_bound(line_.starts.begin(), line_.starts.end(), at_);
    const auto lines = static_cast<int>(after - line_.starts.begin()) - 1;
    return {file_, line_.number + lines, static_cast<int>(at_ - *(after - 1)) + 1};
  }

 private:
  const std::string& text() const { return line_.text; }
  bool take_quoted(std::string& out);

  const Line& line_;
  const std::string& file_;
  size_t at_ = 0;
  bool is_closed_ = true;
};

AuthWord AuthReader::Words::take() {
  AuthWord word{{}, false, place()};
  is_closed_ = true;
  while (at_ < text().size() && is_closed_) {
    const char c = text()[at_];
    if (is_blank(c) || c == ',' || c == '#') break;
    ++at_;
    if (c != '"') {
      word.text.push_back(c);
      continue;
    }
    if (word.text.empty()) word.quoted = true;
    is_closed_ = take_quoted(word.text);
  }
  return word;
}

// Behind the first quote.
bool AuthReader::Words::take_quoted(std::string& out) {
  for (; at_ < text().size(); ++at_) {
    if (text()[at_] == '"') {
      ++at_;
      if (at_ == text().size() || text()[at_] != '"') return true;
    }
    out.push_back(text()[at_]);
  }
  return false;
}

// ---------------------------------------------------------------- lines

AuthReader::Line AuthReader::take_line(std::string_view& text, int number) {
  Line line;
  line.number = number;
  for (bool more = true; more;) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (part.ends_with('\r')) part.remove_suffix(1);
    more = part.ends_with('\\') && !text.empty();
    if (part.ends_with('\\')) part.remove_suffix(1);
    line.starts.push_back(line.text.size());
    line.text += part;
  }
  return line;
}

void AuthReader::read(std::string_view text, const std::string& file, const Sink& sink) {
  open_.push_back(file);
  for (int number = 1; !text.empty();) {
    const Line line = take_line(text, number);
    read_line(line, file, sink);
    number += static_cast<int>(line.starts.size());
  }
  open_.pop_back();
}

void AuthReader::read_line(const Line& line, const std::string& file, const Sink& sink) {
  Words words(line, file);
  AuthRecord record;
  while (words.advance()) {
    record.fields.push_back(read_field(words));
    record.end = words.place();
    if (words.is_closed()) continue;
    return complain(record.fields.back().words.back().place, "expected a second quote");
  }
  if (record.fields.empty()) return;
  record.place = record.fields[0].place;
  if (!try_include(record, sink)) sink(std::move(record));
}

// word,word,@file: a comma goes on, and may have blanks behind it.
AuthField AuthReader::read_field(Words& words) {
  AuthField field;
  field.place = words.place();
  const Sink add_words = [&field](AuthRecord record) {
    for (AuthField& other : record.fields)
      std::move(other.words.begin(), other.words.end(), std::back_inserter(field.words));
  };
  for (bool more = true; more;) {
    AuthWord word = words.take();
    more = words.is_closed() && words.follows_comma() && words.advance();
    const bool is_file = !word.quoted && word.text.size() > 1 && word.text[0] == '@';
    if (!is_file || !words.is_closed()) {
      field.words.push_back(std::move(word));
      continue;
    }
    word.text.erase(0, 1);
    include(word, false, add_words);
  }
  return field;
}

// ---------------------------------------------------------------- other files

// As PostgreSQL does it, a line is such a directive when it has two fields.
bool AuthReader::try_include(const AuthRecord& record, const Sink& sink) {
  const auto& fields = record.fields;
  if (fields.size() != 2 || fields[0].words.size() != 1) return false;
  const std::string& what = fields[0].words[0].text;
  if (what != "include" && what != "include_if_exists" && what != "include_dir") return false;
  if (fields[1].words.size() != 1)
    complain(fields[1].place, "expected one name behind " + what);
  else if (what == "include_dir")
    include_directory(fields[1].words[0], sink);
  else
    include(fields[1].words[0], what == "include_if_exists", sink);
  return true;
}

void AuthReader::include(const AuthWord& name, bool may_be_absent, const Sink& sink) {
  const std::string file = relative_to(name.place.file, name.text);
  if (!may_open(file, name.place)) return;
  auto text = files_.read ? files_.read(file) : read_from_disk(file);
  if (!text) return complain(name.place, "the file " + file + " " + text.error().text);
  if (!*text) {
    if (!may_be_absent) complain(name.place, "the file " + file + " does not exist");
    return;
  }
  if ((*text)->size() > bytes_left_)
    return complain(name.place, "expected included files of no more than 16MiB together");
  bytes_left_ -= (*text)->size();
  read(**text, file, sink);
}

bool AuthReader::may_open(const std::string& file, const AuthPlace& from) {
  if (std::find(open_.begin(), open_.end(), file) != open_.end()) {
    complain(from, "the file " + file + " includes itself");
  } else if (open_.size() > kAuthDepthMax) {
    complain(from, "expected files to include files at most 10 deep");
  } else if (files_left_ == 0) {
    complain(from, "expected at most 1000 included files");
  } else {
    --files_left_;
    return true;
  }
  return false;
}

// *.conf, but no hidden ones, in the order of their names' bytes.
void AuthReader::include_directory(const AuthWord& name, const Sink& sink) {
  const std::string directory = relative_to(name.place.file, name.text);
  auto names = files_.list ? files_.list(directory) : list_on_disk(directory);
  if (!names) return complain(name.place, "the directory " + directory + " " + names.error().text);
  std::sort(names->begin(), names->end());
  for (const std::string& one : *names) {
    if (!one.ends_with(".conf") || one.starts_with('.')) continue;
    AuthWord file = name;
    file.text = name.text + '/' + one;
    include(file, false, sink);
  }
}

void AuthReader::complain(const AuthPlace& place, std::string expected) {
  if (problems_.size() < kProblemsMax)
    problems_.push_back({place.file, place.line, place.column, {}, std::move(expected), {}});
}

}  // namespace weir::config
