#include "copy_text.h"

namespace weir::engine::sqlite {

// A line without its end. In csv a line break within quotes belongs to the value.
std::optional<std::string_view> CopyReader::cut_line(bool last) {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty()) return std::nullopt;
  size_t end = std::string_view::npos;
  if (!spec_.csv) {
    end = rest.find('\n');
  } else {
    bool quoted = false;
    for (size_t i = 0; i < rest.size(); ++i) {
      if (rest[i] == spec_.quote) quoted = !quoted;
      if (rest[i] == '\n' && !quoted) {
        end = i;
        break;
      }
    }
  }
  if (end == std::string_view::npos) {
    if (!last) return std::nullopt;
    end = rest.size();
  }
  at_ += std::min(end + 1, rest.size());
  std::string_view line = rest.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::optional<CopyRow> CopyReader::next(bool last) {
  for (;;) {
    const auto line = ended_ ? std::nullopt : cut_line(last);
    if (!line) {
      if (ended_) at_ = buffer_.size();
      buffer_.erase(0, at_);
      at_ = 0;
      return std::nullopt;
    }
    ++line_;
    if (skips_header_) {
      skips_header_ = false;
      continue;
    }
    if (*line == "\\.") {
      ended_ = true;
      continue;
    }
    CopyRow row;
    if (spec_.csv) {
      split_csv(*line, row);
    } else {
      split_text(*line, row);
    }
    if (!failure_.empty()) return std::nullopt;
    return row;
  }
}

void CopyReader::split_text(std::string_view line, CopyRow& row) {
  for (size_t i = 0;; ++i) {
    const size_t begin = i;
    std::string value;
    while (i < line.size() && line[i] != spec_.delimiter) {
      char c = line[i++];
      if (c == '\\' && i < line.size()) {
        c = line[i++];
        constexpr std::string_view kNames = "bfnrtv";
        constexpr std::string_view kValues = "\b\f\n\r\t\v";
        if (const size_t which = kNames.find(c); which != std::string_view::npos) {
          c = kValues[which];
        } else if (c >= '0' && c <= '7') {
          int code = c - '0';
          for (int digits = 1; digits < 3 && i < line.size() && line[i] >= '0' && line[i] <= '7';
               ++digits)
            code = code << 3 | (line[i++] - '0');
          c = static_cast<char>(code);
        }
      }
      value.push_back(c);
    }
    if (line.substr(begin, i - begin) == spec_.null) {
      row.fields.emplace_back(std::nullopt);
    } else {
      row.fields.emplace_back(std::move(value));
    }
    if (i >= line.size()) return;
  }
}

void CopyReader::split_csv(std::string_view line, CopyRow& row) {
  for (size_t i = 0;; ++i) {
    std::string value;
    bool was_quoted = false;
    bool quoted = false;
    for (; i < line.size() && (quoted || line[i] != spec_.delimiter); ++i) {
      if (line[i] != spec_.quote) {
        value.push_back(line[i]);
      } else if (quoted && i + 1 < line.size() && line[i + 1] == spec_.quote) {
        value.push_back(line[++i]);
      } else {
        quoted = !quoted;
        was_quoted = true;
      }
    }
    if (quoted) {
      failure_ = "unterminated CSV quoted field";
      return;
    }
    if (!was_quoted && value == spec_.null) {
      row.fields.emplace_back(std::nullopt);
    } else {
      row.fields.emplace_back(std::move(value));
    }
    if (i >= line.size()) return;
  }
}

namespace {

void append_text_value(std::string& out, const CopySpec& spec, std::string_view value) {
  for (const char c : value) {
    constexpr std::string_view kValues = "\b\f\n\r\t\v";
    constexpr std::string_view kNames = "bfnrtv";
    const size_t which = c == '\0' ? std::string_view::npos : kValues.find(c);
    if (which != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(kNames[which]);
      continue;
    }
    if (c == '\\' || c == spec.delimiter) out.push_back('\\');
    out.push_back(c);
  }
}

void append_csv_value(std::string& out, const CopySpec& spec, std::string_view value) {
  bool quotes = value == spec.null || value == "\\.";
  for (const char c : value)
    quotes |= c == spec.quote || c == spec.delimiter || c == '\n' || c == '\r';
  if (!quotes) {
    out += value;
    return;
  }
  out.push_back(spec.quote);
  for (const char c : value) {
    if (c == spec.quote) out.push_back(c);
    out.push_back(c);
  }
  out.push_back(spec.quote);
}

}  // namespace

void append_copy_line(std::string& out, const CopySpec& spec, const CopyRow& row) {
  bool first = true;
  for (const auto& field : row.fields) {
    if (!first) out.push_back(spec.delimiter);
    first = false;
    if (!field) {
      out += spec.null;
    } else if (spec.csv) {
      append_csv_value(out, spec, *field);
    } else {
      append_text_value(out, spec, *field);
    }
  }
  out.push_back('\n');
}

}  // namespace weir::engine::sqlite
