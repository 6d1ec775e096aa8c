// A server that says yes to every command, and the same as weir to every fault: it reads requests
// with weir's own codec. So whatever way a command takes, its client gets the same. For hostile
// clients.
#pragma once

#include <string>

#include "model_redis.h"
#include "protocol/redis/commands.h"

namespace weir::redis::script {

class YesServer final : public Connection {
 public:
  std::string feed(std::string_view bytes) override {
    in_ += bytes;
    std::string out;
    while (!closed && !in_.empty() && (stream_.open() ? body(out) : command(out))) {
    }
    return out;
  }
  bool half_command() const override { return !in_.empty() || stream_.open(); }
  bool at_rest() const override { return !half_command(); }

 private:
  bool body(std::string& out) {
    const RequestStream::Pass pass = stream_.pass(in_);
    in_.erase(0, pass.bytes);
    if (!pass.error.empty()) return fail(out, pass.error);
    if (stream_.open()) return false;
    out += "+OK\r\n";
    return true;
  }

  bool command(std::string& out) {
    const Request request = cut_request(in_);
    switch (request.kind) {
      case Request::Kind::Incomplete: return false;
      case Request::Kind::Bad: return fail(out, request.error);
      case Request::Kind::Nothing: break;
      case Request::Kind::Large: stream_.begin(request.count); break;
      case Request::Kind::Whole:
        closed = way_of(request) == Way::Attack || way_of(request) == Way::Quit;
        if (way_of(request) == Way::Refuse)
          out += kRefusalHere;
        else if (way_of(request) != Way::Attack)
          out += "+OK\r\n";
        break;
    }
    in_.erase(0, request.kind == Request::Kind::Large ? request.head_bytes : request.bytes);
    return true;
  }

  bool fail(std::string& out, const std::string& error) {
    append_error_line(out, "ERR " + error);
    closed = true;
    return false;
  }

  static constexpr std::string_view kRefusalHere =
      "-ERR weir: this command is not possible on a pooled connection\r\n";
  std::string in_;
  RequestStream stream_;
};

}  // namespace weir::redis::script
