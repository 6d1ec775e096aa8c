#include "ctl.h"

#include <libpq-fe.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string_view>
#include <utility>

#include "places.h"

namespace weir::app {

namespace {

constexpr int kFine = 0;
constexpr int kFailed = 1;
constexpr int kBadCommand = 2;

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

// What libpq is told, in order: what comes later wins.
class Target {
 public:
  void set(const char* key, const std::string& value) {
    if (!value.empty()) settings_.emplace_back(key, value);
  }
  Connection connect() const {
    std::vector<const char*> keys, values;
    for (const auto& [key, value] : settings_) {
      keys.push_back(key);
      values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    return {PQconnectdbParams(keys.data(), values.data(), 1), PQfinish};
  }

 private:
  std::vector<std::pair<const char*, std::string>> settings_;
};

bool is_number(Oid type) {
  constexpr Oid kInt8 = 20, kInt2 = 21, kInt4 = 23, kNumeric = 1700;
  return type == kInt8 || type == kInt2 || type == kInt4 || type == kNumeric;
}

Answer read(const PGresult& result) {
  Answer out;
  const int columns = PQnfields(&result);
  for (int i = 0; i < columns; ++i)
    out.columns.push_back({PQfname(&result, i), is_number(PQftype(&result, i))});
  for (int row = 0; row < PQntuples(&result); ++row) {
    auto& cells = out.rows.emplace_back();
    for (int i = 0; i < columns; ++i)
      cells.push_back({PQgetvalue(&result, row, i), PQgetisnull(&result, row, i) != 0});
  }
  return out;
}

void print(PGresult& result, const std::string& format) {
  if (PQresultStatus(&result) != PGRES_TUPLES_OK) {
    if (format == "table") std::cout << PQcmdStatus(&result) << "\n";
    if (format == "json") std::cout << "[]\n";
    return;
  }
  const Answer answer = read(result);
  std::cout << (format == "csv"    ? as_csv(answer)
                : format == "json" ? as_json(answer)
                                   : as_table(answer));
}

bool has_scheme(const std::string& text) {
  return text.starts_with("postgres://") || text.starts_with("postgresql://") ||
         text.find('=') != std::string::npos;
}

bool names_database(const std::string& url) {
  const auto options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>(
      PQconninfoParse(url.c_str(), nullptr), PQconninfoFree);
  for (const auto* option = options.get(); option && option->keyword; ++option)
    if (std::string_view(option->keyword) == "dbname") return option->val != nullptr;
  return false;
}

// The admin socket, unless somebody says otherwise; there the user does not matter.
Target choose(const CtlArguments& arguments, const std::string& url, const std::string& socket) {
  Target out;
  if (!socket.empty()) {
    out.set("host", socket.substr(0, socket.rfind('/')));
    out.set("port", socket.substr(socket.rfind('.') + 1));
    out.set("user", "admin");
  } else {
    out.set("host", "127.0.0.1");
    out.set("port", "6432");
  }
  out.set("dbname", url);  // libpq takes the first one apart
  if (url.empty() || !names_database(url)) out.set("dbname", "weir");
  out.set("host", arguments.host);
  out.set("port", arguments.port);
  out.set("user", arguments.user);
  out.set("fallback_application_name", "weir ctl");
  out.set("connect_timeout", "10");
  return out;
}

int refuse_connection(const PGconn* connection, const std::string& socket) {
  std::cerr << "weir ctl: " << PQerrorMessage(connection);
  if (!socket.empty())
    std::cerr << "No weir answers at its admin socket " << socket
              << ". Does it run, under this account? Else: -h HOST -p PORT -U USER, or a URL.\n";
  return kFailed;
}

int run(PGconn* connection, const std::string& command, const std::string& format) {
  if (PQsendQuery(connection, command.c_str()) == 0) {
    std::cerr << "weir ctl: " << PQerrorMessage(connection);
    return kFailed;
  }
  int status = kFine;
  while (const auto result = Result(PQgetResult(connection), PQclear)) {
    switch (PQresultStatus(result.get())) {
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK: print(*result, format); break;
      case PGRES_EMPTY_QUERY: break;
      default: std::cerr << "weir ctl: " << PQresultErrorMessage(result.get()); status = kFailed;
    }
  }
  return std::cout.flush() ? status : kFailed;
}

}  // namespace

void add_ctl_options(CLI::App& to, CtlArguments& arguments) {
  to.set_help_flag("--help", "Print this help message and exit");
  to.add_option("-h,--host", arguments.host, "host, or directory of a unix socket");
  to.add_option("-p,--port", arguments.port, "port (6432)");
  to.add_option("-U,--username", arguments.user, "user");
  to.add_option("--format", arguments.format, "table, csv or json")
      ->check(CLI::IsMember({"table", "csv", "json"}));
  to.add_option("command", arguments.words, "[URL] COMMAND, for example \"SHOW POOLS\"")
      ->required()
      ->expected(1, 2);
}

int ctl(const CtlArguments& arguments) {
  const bool has_url = arguments.words.size() == 2;
  const std::string url = has_url ? arguments.words[0] : "";
  if (has_url && !has_scheme(url)) {
    std::cerr << "weir ctl: expected a URL and one command in quotes, got \"" << url << "\"\n";
    return kBadCommand;
  }
  const bool chosen = has_url || !arguments.host.empty() || !arguments.port.empty();
  const std::string socket = chosen ? "" : admin_socket();
  const Connection connection = choose(arguments, url, socket).connect();
  if (PQstatus(connection.get()) != CONNECTION_OK)
    return refuse_connection(connection.get(), socket);
  return run(connection.get(), arguments.words.back(), arguments.format);
}

}  // namespace weir::app
