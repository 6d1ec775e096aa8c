#include "page.h"

#include <CivetServer.h>
#include <prometheus/text_serializer.h>
#include <weir/base/log.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>

#include "process.h"

namespace weir::app {

using base::log;
using base::LogLevel;

namespace {

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kHtmlType = "text/html; charset=utf-8";
constexpr const char* kThreads =
    "4";  // a peer that sends nothing occupies one until the time is up
constexpr const char* kRequestTimeout = "5000";  // ms

const char* reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    default: return "Service Unavailable";
  }
}

void send(mg_connection* connection, const Page::Reply& reply, bool with_body) {
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " " + reason_phrase(reply.status) +
                    "\r\nContent-Type: " + reply.type +
                    "\r\nContent-Length: " + std::to_string(reply.body.size()) +
                    "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
                    "\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'"
                    "\r\nConnection: close\r\n";
  if (reply.status == 405) out += "Allow: GET, HEAD\r\n";
  out += "\r\n";
  if (with_body) out += reply.body;
  mg_write(connection, out.data(), out.size());
}

}  // namespace

struct Page::Server {
  const Page& page;
  std::string host;  // to reach it
  std::thread::id opener = std::this_thread::get_id();
  std::string first_message = {};  // to the opener: tells why civetweb did not start
  std::unique_ptr<CivetServer> http = {};

  // civetweb looks only every two seconds whether it shall stop, or when somebody connects.
  void stop() {
    std::atomic<bool> stopped{false};
    std::thread caller([&, port = port()] {
      while (!stopped) {
        char error[64];
        if (mg_connection* call = mg_connect_client(host.c_str(), port, 0, error, sizeof error))
          mg_close_connection(call);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
    http->close();
    stopped = true;
    caller.join();
  }
  int port() const {
    const auto ports = http->getListeningPorts();
    return ports.empty() ? 0 : ports[0];
  }

  static Server& of(const mg_connection* connection) {
    const auto* http = static_cast<CivetServer*>(mg_get_user_data(mg_get_context(connection)));
    return *static_cast<Server*>(const_cast<void*>(http->getUserContext()));
  }
  static int on_message(const mg_connection* connection, const char* text) {
    Server& server = of(connection);
    if (std::this_thread::get_id() == server.opener && server.first_message.empty())
      server.first_message = text;
    log(LogLevel::Debug, "page: {}", text);
    return 1;
  }
  static int on_request(mg_connection* connection) {
    const mg_request_info* request = mg_get_request_info(connection);
    const std::string_view method = request->request_method;
    const Reply reply =
        of(connection).page.answer(method, request->local_uri ? request->local_uri : "");
    send(connection, reply, method != "HEAD");
    return reply.status;
  }
};

Page::Page(const Metrics& metrics, std::function<std::string()> not_ready)
    : metrics_(metrics), not_ready_(std::move(not_ready)) {}

Page::~Page() {
  if (server_) server_->stop();
}

base::Status Page::open(const config::Address& address) {
  const bool everywhere = address.host.empty() || address.host == "*";
  auto server = std::unique_ptr<Server>(new Server{*this, everywhere ? "127.0.0.1" : address.host});
  const std::string port = std::to_string(address.port);
  CivetCallbacks callbacks;
  callbacks.log_message = Server::on_message;
  callbacks.begin_request = Server::on_request;
  try {
    server->http = std::make_unique<CivetServer>(
        std::vector<std::string>{"listening_ports", everywhere ? port : address.host + ":" + port,
                                 "num_threads", kThreads, "request_timeout_ms", kRequestTimeout},
        &callbacks, server.get());
  } catch (const CivetException& failed) {
    std::string why = server->first_message.empty() ? failed.what() : server->first_message;
    if (why.find("invalid port spec") != std::string::npos)
      why = "it takes an IPv4 address of this machine, or a name that stands for one";
    return base::Error{base::ErrorKind::System,
                       "http.address: cannot serve the page on " + address.text() + ": " + why};
  }
  server_ = std::move(server);
  log(LogLevel::Info, "page and metrics on http://{}/", address.text());
  return base::ok();
}

int Page::port() const { return server_ ? server_->port() : 0; }

Page::Reply Page::answer(std::string_view method, std::string_view path) const {
  const bool known = path == "/" || path == "/metrics" || path == "/healthz" || path == "/readyz";
  if (!known) return {.status = 404, .body = "not here: try / or /metrics, /healthz, /readyz\n"};
  if (method != "GET" && method != "HEAD") return {.status = 405, .body = "GET or HEAD only\n"};
  if (path == "/metrics")
    return {.type = kMetricsType,
            .body = prometheus::TextSerializer().Serialize(metrics_.Collect())};
  if (path == "/healthz") return {.body = "alive\n"};
  if (path == "/") return {.type = kHtmlType, .body = overview()};
  const std::string why = not_ready(metrics_.samples());
  if (!why.empty()) return {.status = 503, .body = why + "\n"};
  return {.body = "ready\n"};
}

std::string Page::not_ready(const std::vector<Sample>& samples) const {
  if (std::string why = not_ready_(); !why.empty()) return why;
  bool any = false, all_paused = true;
  for (const Sample& sample : samples) {
    if (!sample.pool) continue;
    any = true;
    all_paused = all_paused && sample.pool->paused;
  }
  return any && all_paused ? "paused" : "";
}

std::string Page::overview() const {
  Overview out{.state = {}, .samples = metrics_.samples()};
  out.state = not_ready(out.samples);
  const ProcessFigures process = process_figures();
  out.uptime_seconds = std::max(0.0, static_cast<double>(std::time(nullptr)) - process.started_at);
  out.resident_bytes = process.resident_bytes;
  return page_html(out);
}

}  // namespace weir::app
