// Answers of the console for people (as psql shows them) and for programs.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl.h"

namespace weir::app {

namespace {

// Characters, not bytes: those that begin a sequence of UTF-8.
size_t width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string spaces(size_t count) { return std::string(count, ' '); }

// A line break would spoil the table.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return text;
}

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

void append_quoted(std::string& out, const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

}  // namespace

std::string as_table(const Answer& answer) {
  std::vector<size_t> widths;
  for (size_t i = 0; i < answer.columns.size(); ++i) {
    size_t widest = width(answer.columns[i].name);
    for (const auto& row : answer.rows) widest = std::max(widest, width(row[i].text));
    widths.push_back(widest);
  }
  std::string head, line, out;
  for (size_t i = 0; i < widths.size(); ++i) {
    const std::string& name = answer.columns[i].name;
    const size_t left = (widths[i] - width(name)) / 2;
    const size_t right = widths[i] - width(name) - left;
    head += (i > 0 ? "| " : " ") + spaces(left) + name + spaces(right) + " ";
    line += (i > 0 ? "+" : "") + std::string(widths[i] + 2, '-');
  }
  out = trimmed(head) + "\n" + line + "\n";
  for (const auto& row : answer.rows) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = one_line(row[i].text);
      const std::string gap = spaces(widths[i] - width(cell));
      text += (i > 0 ? "| " : " ") + (answer.columns[i].is_number ? gap + cell : cell + gap) + " ";
    }
    out += trimmed(text) + "\n";
  }
  const size_t count = answer.rows.size();
  return out + "(" + std::to_string(count) + (count == 1 ? " row)\n" : " rows)\n");
}

// RFC 4180's quotes; lines end as on this system.
std::string as_csv(const Answer& answer) {
  std::string out;
  for (size_t i = 0; i < answer.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_quoted(out, answer.columns[i].name);
  }
  out += '\n';
  for (const auto& row : answer.rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      append_quoted(out, row[i].text);
    }
    out += '\n';
  }
  return out;
}

std::string as_json(const Answer& answer) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& row : answer.rows) {
    auto object = nlohmann::ordered_json::object();
    for (size_t i = 0; i < row.size(); ++i) {
      auto& value = object[answer.columns[i].name];
      if (row[i].is_null) continue;
      if (answer.columns[i].is_number)
        value = nlohmann::ordered_json::parse(row[i].text, nullptr, false);
      else
        value = row[i].text;
    }
    out.push_back(std::move(object));
  }
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace weir::app
