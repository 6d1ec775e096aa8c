// weir ctl: one console command through libpq, its answer as a table, CSV or JSON.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace weir::app {

struct CtlArguments {
  std::string host, port, user;
  std::string format = "table";
  std::vector<std::string> words;  // [URL] COMMAND
};

void add_ctl_options(CLI::App& to, CtlArguments& arguments);

// The exit code: 0 fine, 1 no connection or the command failed, 2 a bad command line.
int ctl(const CtlArguments& arguments);

// An answer with rows, ready to be shown (ctl_format.cpp).
struct Answer {
  struct Column {
    std::string name;
    bool is_number = false;
  };
  struct Cell {
    std::string text;
    bool is_null = false;
  };
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
};
std::string as_table(const Answer& answer);
std::string as_csv(const Answer& answer);
std::string as_json(const Answer& answer);

}  // namespace weir::app
