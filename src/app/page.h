// The HTTP side: /metrics, /healthz, /readyz, and a page for people. Owned by the daemon, on
// threads of its own, which only read; ends with its destructor, which waits for requests under
// way.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <weir/base/result.h>
#include <weir/config/config.h>

#include "metrics.h"

namespace weir::app {

class Page {
 public:
  struct Reply {
    int status = 200;
    const char* type = "text/plain; charset=utf-8";
    std::string body;
  };

  // `not_ready` says why weir takes no clients; empty: it does. Any thread.
  Page(const Metrics& metrics, std::function<std::string()> not_ready);
  ~Page();
  base::Status open(const config::Address& address);
  int port() const;  // 0: not open
  Reply answer(std::string_view method, std::string_view path) const;

 private:
  struct Server;
  std::string not_ready(const std::vector<Sample>& samples) const;
  std::string overview() const;

  const Metrics& metrics_;
  std::function<std::string()> not_ready_;
  std::unique_ptr<Server> server_;
};

// What the page for people shows (page_html.cpp).
struct Overview {
  std::string state;  // empty: all is well
  double uptime_seconds = 0;
  double resident_bytes = 0;
  std::vector<Sample> samples;
};
std::string page_html(const Overview& overview);
std::string escape_html(std::string_view text);

}  // namespace weir::app
