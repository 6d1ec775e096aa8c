// The start of a connection: weir's own greeting dialogue, without a password.
#include <weir/base/crypto.h>

#include "connection.h"

namespace weir::pgserver {

using protocol::Step;

void Connection::start() {
  greeting_ = core_.protocol().greet({.login_bytes_max = core_.options.login_bytes_max});
  loop_.timers().set(timer_, loop_.now() + core_.options.login_timeout);
  stream_->set_reader(this);
  greeting_->start(out_);
}

void Connection::start_greeted(const Greeted& greeted) {
  stream_->set_reader(this);
  session_.user = greeted.user;
  session_.database = greeted.database;
  session_.process_id = greeted.process_id;
  for (const auto& [name, value] : greeted.settings)
    (void)session_.settings.set_initial(name, value);
  if (begin_session()) told_ = session_.settings.reported();
}

void Connection::greet() {
  const base::Bytes bytes = base::Bytes(in_).substr(in_at_);
  const auto result = greeting_->feed(bytes, out_);
  in_at_ += result.consumed;
  switch (result.step) {
    case Step::Ask:
      if (admit()) welcome();
      return;
    case Step::Done:  // a cancel request: nothing more will be said
      if (const auto& request = greeting_->cancel())
        core_.cancel(request->session_id, request->secret);
      flush();
      return end(nullptr);
    case Step::Fail: flush(); return end(nullptr);
    default: return;
  }
}

// False: the client has been refused.
bool Connection::admit() {
  session_.user = greeting_->request().user;
  session_.database = greeting_->request().database;
  session_.process_id = core_.new_process_id();
  protocol::Admission admission;
  admission.method = protocol::AuthMethod::Trust;
  admission.session_id = static_cast<uint64_t>(session_.process_id);
  admission.cancel_key = base::random_bytes(protocol::kCancelKeyBytes);
  greeting_->admit(admission, out_);
  for (const auto& [name, value] : postgres::startup_settings(greeting_->client())) {
    if (const auto error = session_.settings.set_initial(name, value)) {
      greeting_->refuse({base::ErrorKind::Refused, error->message, error->sqlstate}, out_);
      flush();
      end(nullptr);
      return false;
    }
  }
  if (!begin_session()) return false;
  core_.enrol(session_.process_id, postgres::cancel_key(greeting_->client()), *this);
  return true;
}

// False: the connection has ended.
bool Connection::begin_session() {
  session_.settings.tell("session_authorization", session_.user);
  auto made = core_.make_executor(loop_, session_, *this);
  if (!made) {
    const base::Error& error = made.error();
    const Failure fatal{error.code.empty() ? "58000" : error.code, error.text};
    end(&fatal);
    return false;
  }
  executor_ = std::move(*made);
  implicit_mark_ = session_.settings.mark();
  state_ = State::Open;
  timer_.drop();
  return true;
}

void Connection::welcome() {
  const auto facts = postgres::make_facts(session_.settings.reported());
  const auto result = greeting_->welcome(*facts, nullptr, out_);
  if (result.step != Step::Done) return end(nullptr);
  // The welcome repeats the client's own spelling where the client has set something.
  told_ = session_.settings.reported();
  const SettingMap asked = postgres::startup_settings(greeting_->client());
  for (auto& [name, value] : told_)
    if (const auto own = asked.find(lower_case(name)); own != asked.end()) value = own->second;
  greeting_.reset();
}

}  // namespace weir::pgserver
