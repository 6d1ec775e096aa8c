#include "login.h"

#include <array>
#include <climits>
#include <utility>

namespace weir::redis {

using base::ErrorKind;
using protocol::Step;

namespace {

constexpr size_t kAnswerBytesMax = 4096;

// What a server says that will say something else later.
bool will_pass(Bytes text) {
  constexpr std::array<std::string_view, 5> kStarts = {"LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN",
                                                       "ERR max number of clients"};
  for (const std::string_view start : kStarts)
    if (text.starts_with(start)) return true;
  return false;
}

}  // namespace

RedisLogin::Result RedisLogin::start(std::string& send) {
  server_ = std::make_unique<ServerState>();
  if (is_hashed(target_.secret))
    return fail(
        {ErrorKind::Refused,
         "Redis servers take plain passwords, and weir knows only a hash of that of user \"" +
             target_.user + "\""});
  if (target_.tls != protocol::Encryption::None) return {Step::StartTls, 0};
  return begin(send);
}

RedisLogin::Result RedisLogin::begin(std::string& send) {
  begun_ = true;
  const bool named = !target_.user.empty() && target_.user != "default";
  if ((named && target_.is_proof) || !target_.secret.empty()) {
    // Servers before version 6 know no users.
    if (target_.user.empty() || target_.user == "default")
      append_command(server_->login, {"AUTH", target_.secret});
    else
      append_command(server_->login, {"AUTH", target_.user, target_.secret});
    if (!target_.user.empty()) server_->user = target_.user;
    send += server_->login;
    says_secret_ = true;
    ++answers_left_;
  }
  int64_t database = 0;
  if (read_number(target_.database, database) && database > 0 && database <= INT_MAX) {
    server_->database = server_->home = database;
    append_command(send, {"SELECT", target_.database});
    ++answers_left_;
  }
  append_command(send, {"CLIENT", "ID"});
  append_command(send, {"PING"});
  answers_left_ += 2;
  if (survey_) Survey::ask(send);
  return {Step::Wait, 0};
}

RedisLogin::Result RedisLogin::feed(Bytes in, std::string& send) {
  if (!begun_) return begin(send);
  size_t used = 0;
  if (answers_left_ == 0) return logged_in(in, 0, send);
  for (;;) {
    const Bytes rest = in.substr(used);
    const size_t end = rest.find("\r\n", scanned_);
    if (end == Bytes::npos) {
      if (!rest.empty() && rest[0] != '+' && rest[0] != '-' && rest[0] != ':')
        return fail({ErrorKind::Protocol, "the server does not speak the Redis protocol"}, used);
      if (rest.size() > kAnswerBytesMax)
        return fail({ErrorKind::TooLarge, "the server's answer is too long"}, used);
      scanned_ = rest.empty() ? 0 : rest.size() - 1;
      return {Step::Wait, used};
    }
    scanned_ = 0;
    used += end + 2;
    const Bytes line = rest.substr(0, end);
    // Somebody who has to be told whether his password is right gets this for an answer.
    const bool is_needless = std::exchange(says_secret_, false) && !target_.is_proof &&
                             line.starts_with('-') && needs_no_password(line.substr(1));
    if (is_needless) {
      server_->login.clear();
      --answers_left_;
      continue;
    }
    if (answers_left_ == 2 &&
        (line.starts_with(':') ||
         line.starts_with(
             '-'))) {  // old servers and some users have no CLIENT ID: it is for people
      const bool passes = line.starts_with('-') && will_pass(line.substr(1));
      if (passes && !line.starts_with("-BUSY")) return on_error(line.substr(1));
      if (line.starts_with(':')) read_number(line.substr(1), server_->id);
      --answers_left_;
      continue;
    }
    // Busy with a script, which perhaps somebody comes to end; or the user may do much, but no
    // PING.
    const bool is_in =
        answers_left_ == 1 && (line.starts_with("-BUSY") || line.starts_with("-NOPERM"));
    if (is_in) answers_left_ = 0;
    if (is_in) return logged_in(in.substr(used), used, send);
    if (line.starts_with('-')) return on_error(line.substr(1));
    if (answers_left_ == 2 || line != (answers_left_ == 1 ? "+PONG" : "+OK"))
      return fail({ErrorKind::Protocol, "the server does not speak the Redis protocol"}, used);
    if (--answers_left_ == 0) return logged_in(in.substr(used), used, send);
  }
}

RedisLogin::Result RedisLogin::logged_in(Bytes rest, size_t used, std::string& send) {
  if (!survey_) return {Step::Done, used};
  const Survey::Result result = survey_->feed(rest, send);
  if (result.bad)
    return fail({ErrorKind::Protocol, "the server's answer is malformed"}, used + result.consumed);
  server_->commands = survey_->table();
  if (result.over && audiences_ && !survey_->run_id().empty())
    server_->audience = audiences_->of(survey_->run_id());
  return {result.over ? Step::Done : Step::Wait, used + result.consumed};
}

RedisLogin::Result RedisLogin::on_error(Bytes text) {
  // It quotes what it does not know, which is the password.
  if (text.find("unknown command") != Bytes::npos && !server_->login.empty())
    text = "ERR the server does not know the command AUTH";
  if (text.empty()) text = "ERR the server refused without a word";
  const ErrorKind kind = will_pass(text) ? ErrorKind::Unreachable : ErrorKind::Refused;
  return fail({kind, std::string(text), std::string(kServersWords)});
}

}  // namespace weir::redis
