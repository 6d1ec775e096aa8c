// A server that says yes to every command, and the same as weir to every fault: it reads requests
// with weir's own codec. So whatever way a command takes, its client gets the same. What weir reads
// itself looks as it does from a real one. For hostile clients.
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
        out += answer(request);
        break;
    }
    in_.erase(0, request.kind == Request::Kind::Large ? request.head_bytes : request.bytes);
    return true;
  }

  static std::string answer(const Request& request) {
    int64_t number = 0;
    switch (way_of(request)) {
      case Way::Attack: return "";
      case Way::Hello:
        if (request.argument(1) == "3") return "%0\r\n";
        return request.argument(1) == "2" ? "*0\r\n" : "+OK\r\n";
      case Way::Select:
        if (request.count != 2) return "+OK\r\n";
        if (read_number(request.argument(1), number) && number >= 0 && number < 16)
          return "+OK\r\n";
        return "-ERR DB index is out of range\r\n";
      case Way::Reset:
        if (request.count == 1) return "+RESET\r\n";
        return "-ERR wrong number of arguments for 'reset' command\r\n";
      case Way::Client:
        return equal_ignoring_case(request.argument(1), "id") ? ":1\r\n" : "+OK\r\n";
      case Way::Lane:
      case Way::Heavy:
        return equal_ignoring_case(request.argument(0), "ping") ? "+PONG\r\n" : "+OK\r\n";
      default: return "+OK\r\n";
    }
  }

  bool fail(std::string& out, const std::string& error) {
    append_error_line(out, "ERR " + error);
    closed = true;
    return false;
  }

  std::string in_;
  RequestStream stream_;
};

}  // namespace weir::redis::script
