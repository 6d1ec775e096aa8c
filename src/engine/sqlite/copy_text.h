// COPY's text and csv formats (PostgreSQL's manual, "COPY", "File Formats"), read in pieces and
// written by lines. Pure; owned by a cursor.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compile.h"

namespace weir::engine::sqlite {

struct CopyRow {
  std::vector<std::optional<std::string>> fields;
};

class CopyReader {
 public:
  explicit CopyReader(const CopySpec& spec) : spec_(spec), skips_header_(spec.header) {}
  void append(std::string_view bytes) { buffer_ += bytes; }
  size_t buffered() const { return buffer_.size() - at_; }
  // The next row that is all there; `last`: nothing more comes. Absent: no more now, or failure()
  // says why.
  std::optional<CopyRow> next(bool last);
  const std::string& failure() const { return failure_; }
  uint64_t line() const { return line_; }

 private:
  std::optional<std::string_view> cut_line(bool last);
  void split_text(std::string_view line, CopyRow& row);
  void split_csv(std::string_view line, CopyRow& row);

  CopySpec spec_;
  std::string buffer_;
  size_t at_ = 0;
  bool skips_header_;
  bool ended_ = false;  // by a line with \. alone
  uint64_t line_ = 0;
  std::string failure_;
};

// Appends one line, with its line feed.
void append_copy_line(std::string& out, const CopySpec& spec, const CopyRow& row);

}  // namespace weir::engine::sqlite
