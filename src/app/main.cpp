// The command line: weir run | check | ctl | --version.
#include <fmt/format.h>
#include <weir/base/log.h>
#include <weir/config/check.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "ctl.h"
#include "daemon.h"
#include "places.h"
#include "protocols.h"
#include "tls.h"

namespace weir::app {

namespace {

constexpr int kFine = 0;
constexpr int kRuntimeFailure = 1;
constexpr int kBadCommand = 2;

struct Arguments {
  std::string config;
  bool demo = false;
  std::vector<std::string> databases;
  std::vector<std::string> listeners;
  std::string http;
};

config::Surroundings surroundings() { return {.protocols = protocol_descriptors()}; }

std::string config_file(const Arguments& arguments) {
  if (!arguments.config.empty()) return arguments.config;
  if (const char* file = std::getenv("WEIR_CONFIG"); file && *file) return file;
  if (std::filesystem::exists("/etc/weir/weir.yaml")) return "/etc/weir/weir.yaml";
  return {};
}

// --listen and --http win over what a file or the demo says.
config::Loaded with_options(config::Loaded loaded, const Arguments& arguments) {
  const auto complain = [&](const char* option, const base::Error& error) {
    loaded.problems.push_back({.file = option, .key = {}, .expected = error.text, .source = {}});
  };
  std::vector<config::Listener> listeners;
  for (const std::string& text : arguments.listeners) {
    auto listener = config::parse_listener(text, surroundings());
    if (!listener) {
      complain("--listen", listener.error());
      continue;
    }
    if (auto chosen = config::choose_database(*listener, loaded.config, surroundings()); !chosen)
      complain("--listen", chosen.error());
    else if (!loaded.config.leads_somewhere(*listener))
      complain("--listen", {base::ErrorKind::Config,
                            "there is no " + listener->protocol + " database for its clients"});
    listeners.push_back(std::move(*listener));
  }
  if (!listeners.empty()) loaded.config.listeners = std::move(listeners);
  if (arguments.http.empty()) return loaded;
  if (auto address = config::parse_address(arguments.http))
    loaded.config.http.address = std::move(*address);
  else
    complain("--http", address.error());
  return loaded;
}

config::Loaded load_source(const Arguments& arguments) {
  config::Pieces pieces{.databases = config::database_pieces(environ), .listeners = {}};
  for (const std::string& text : arguments.databases)
    pieces.databases.push_back({"--database", text});
  for (const std::string& text : arguments.listeners)
    pieces.listeners.push_back({"--listen", text});
  if (arguments.demo) return config::demo(data_directory() + "/demo.db", surroundings());
  if (!arguments.databases.empty()) return config::from_pieces(pieces, surroundings());
  if (const std::string file = config_file(arguments); !file.empty())
    return config::load(file, surroundings());
  if (!pieces.databases.empty()) return config::from_pieces(pieces, surroundings());
  return config::demo(data_directory() + "/demo.db", surroundings());
}

config::Loaded load(const Arguments& arguments) {
  config::Loaded loaded = load_source(arguments);
  return loaded ? with_options(std::move(loaded), arguments) : loaded;
}

int run(const Arguments& arguments) {
  auto loaded = load(arguments);
  if (!loaded) {
    std::cerr << loaded.report() << "\n";
    return kBadCommand;
  }
  const config::Log& to = loaded.config.log;
  if (auto opened = base::open_log({to.level, to.format == config::LogFormat::Json, to.file});
      !opened) {
    std::cerr << "weir: " << opened.error().text << "\n";
    return kBadCommand;
  }
  const Source again = [arguments]() -> base::Result<config::Config> {
    auto fresh = load(arguments);
    if (!fresh) return fresh.error();
    return std::move(fresh.config);
  };
  int status = kFine;
  const bool is_demo = loaded.config.source == "the demo";
  const std::string place = loaded.config.listeners.front().address.text();
  {
    Daemon daemon(std::move(loaded.config), again);
    if (auto started = daemon.start(); !started) {
      base::log(base::LogLevel::Error, "cannot start: {}", started.error().text);
      std::cerr << "weir: " << started.error().text << "\n";
      status = kRuntimeFailure;
    } else {
      base::log(base::LogLevel::Info, "weir {} runs", WEIR_VERSION);
      if (is_demo)
        base::log(base::LogLevel::Info,
                  "no configuration, so this is the demo: psql postgres://demo:demo@{}/demo",
                  place);
      daemon.run();
      base::log(base::LogLevel::Info, "weir ends");
    }
  }
  base::close_log();
  return status;
}

// What a start would find: keys that are not those of their certificates, and the like.
std::string wrong_certificates(const config::Config& config) {
  std::string out;
  for (size_t i = 0; i < config.listeners.size(); ++i)
    if (auto made = client_tls(config.listeners[i].tls, config.listeners[i].protocol); !made)
      out += fmt::format("listeners[{}].tls: {}\n", i, made.error().text);
  for (const auto& [name, database] : config.databases)
    if (auto made = server_tls(database.tls, database.protocol); !made)
      out += fmt::format("databases.{}.tls: {}\n", name, made.error().text);
  return out;
}

int check(const Arguments& arguments) {
  const auto loaded = load(arguments);
  if (!loaded) {
    std::cerr << loaded.report() << "\n";
    return kBadCommand;
  }
  if (const std::string wrong = wrong_certificates(loaded.config); !wrong.empty()) {
    std::cerr << wrong;
    return kBadCommand;
  }
  config::print_check(loaded.config, std::cout);
  return kFine;
}

void add_run_options(CLI::App& to, Arguments& arguments) {
  CLI::Option* file = to.add_option("-c,--config", arguments.config, "configuration file");
  CLI::Option* demo = to.add_flag("--demo", arguments.demo,
                                  "a SQLite database and a user demo, whatever is configured");
  CLI::Option* database = to.add_option("--database", arguments.databases,
                                        "NAME=URL: serve this database without a file");
  database->excludes(file)->excludes(demo);
  demo->excludes(file);
  to.add_option("--listen", arguments.listeners, "PROTOCOL:ADDRESS instead of the usual one");
  to.add_option("--http", arguments.http, "ADDRESS of the page and the metrics");
}

}  // namespace

int main_of(int argc, char** argv) {
  CLI::App app(
      "weir pools database connections: PostgreSQL, SQL Server, Redis, and SQLite served as "
      "PostgreSQL");
  app.set_version_flag("--version", "weir " WEIR_VERSION);
  Arguments arguments;
  add_run_options(app, arguments);
  CLI::App* run_command = app.add_subcommand("run", "run in the foreground (the default)");
  add_run_options(*run_command, arguments);
  CLI::App* check_command =
      app.add_subcommand("check", "validate a configuration and say what it amounts to");
  check_command->add_option("-c,--config", arguments.config, "configuration file");
  CtlArguments ctl_arguments;
  CLI::App* ctl_command =
      app.add_subcommand("ctl", "one console command, through the admin socket");
  add_ctl_options(*ctl_command, ctl_arguments);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kFine : kBadCommand;
  }
  if (*ctl_command) return ctl(ctl_arguments);
  return *check_command ? check(arguments) : run(arguments);
}

}  // namespace weir::app

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return weir::app::main_of(argc, argv);
}
