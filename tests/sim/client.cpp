#include "client.h"

namespace weir::sim {

namespace {

model::Settings startup_defaults(int id, Random& random) {
  model::Settings out = model::ModelSettings::usual();
  out["application_name"] = "c" + std::to_string(id);
  if (random.percent(30)) out["timezone"] = "zone" + std::to_string(random.below(3));
  return out;
}

std::string readable(base::Bytes bytes) {
  std::string out(bytes.substr(0, 300));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '.';
  return out;
}

bool is_own_notice(const postgres::CutMessage& message) {
  return message.type == 'N' && message.body.find("waiting for a free server") != base::Bytes::npos;
}

}  // namespace

SimClient::SimClient(model::PooledWorld& world, Random& random, const Options& options)
    : world_(world),
      random_(random),
      options_(options),
      program_(options.id, random, options.program),
      defaults_(startup_defaults(options.id, random)),
      shadow_(defaults_),
      stream_(world.connect(options.worker)) {
  std::string reported;
  shadow_.settings().report_all(reported);
  take(reported);
  stream_->set_reader(this);
  std::vector<std::pair<std::string, std::string>> parameters{
      {"user", "app"}, {"database", "base"}, {"application_name", defaults_["application_name"]}};
  if (defaults_["timezone"] != "UTC") parameters.emplace_back("TimeZone", defaults_["timezone"]);
  to_write_ = talk::startup(parameters);
  write();
}

// ---------------------------------------------------------------- what it does

void SimClient::act() {
  if (cancelling_ && cancel_recorder_.end) cancelling_.reset();
  if (!stream_) return;
  if (options_.leaves_after >= 0 && options_.leaves_after-- == 0) return leave(false);
  if (last_words_ && random_.percent(50)) return leave(false);  // as a driver does
  if (!logged_in_ || last_words_) return;
  if (options_.cancels && turns_begun_ > turns_answered_ && random_.percent(5)) cancel();
  const bool busy = turns_begun_ - turns_answered_ >= static_cast<int>(options_.pipeline_max);
  if (turns_begun_ < options_.turns && !busy) return begin_turn();
  if (turns_begun_ >= options_.turns && is_done()) leave(random_.percent(80));
}

void SimClient::begin_turn() {
  ++turns_begun_;
  const std::string turn = program_.next();
  note_history("asks " + readable(turn));
  to_write_ += turn;
  // All of it at once: weir may answer a Bind before its parameters have come.
  shadow_.receive(turn);
  write();
}

void SimClient::write() {
  if (!stream_ || to_write_.empty()) return;
  const size_t offered =
      random_.percent(70) ? to_write_.size() : 1 + random_.below(to_write_.size());
  const int64_t taken = stream_->write(base::Bytes(to_write_).substr(0, offered));
  if (taken < 0) return;
  to_write_.erase(0, static_cast<size_t>(taken));
  if (!to_write_.empty()) return stream_->want_writable();
  note_answered();
}

// The rest of a COPY that has failed may be written when its answer is long there.
void SimClient::note_answered() {
  if (!logged_in_ || !to_write_.empty() || !expected_.empty()) return;
  shadow_.skip_unanswered();
  if (shadow_.at_rest()) turns_answered_ = turns_begun_;
}

void SimClient::cancel() {
  if (cancelling_) return;
  has_cancelled_ = true;
  cancel_recorder_ = {};
  cancelling_ = world_.connect(static_cast<uint32_t>(random_.below(world_.workers())));
  cancelling_->set_reader(&cancel_recorder_);
  cancelling_->write(talk::cancel_request(pid_, key_));
}

void SimClient::leave(bool politely) {
  if (politely) stream_->write(talk::terminate());
  stream_.reset();
}

bool SimClient::is_done() const { return to_write_.empty() && turns_answered_ >= turns_begun_; }

// ---------------------------------------------------------------- what it sees

void SimClient::on_bytes(base::Bytes bytes) {
  seen_.append(bytes);
  look();
}

void SimClient::on_end(const base::Error&) {
  if (!options_.tolerance.loss) fail("the connection was closed");
  if (failure_.empty() && logged_in_ && !seen_.empty() && seen_[0] != 'E' && seen_[0] != 'N' &&
      seen_[0] != 'S') {
    if (!next_expected() || !expected_.starts_with(seen_))
      fail("it ended within bytes that do not fit");
  }
  stream_.reset();
}

void SimClient::look() {
  while (failure_.empty()) {
    auto cut = postgres::cut_message(seen_, base::kPieceBytesMax);
    if (!cut) return fail("a message of impossible length");
    if (cut->consumed == 0) return;
    const std::string raw = seen_.substr(0, cut->consumed);
    seen_.erase(0, cut->consumed);
    note_history("sees " + readable(raw.substr(0, 80)));
    const postgres::CutMessage message{raw[0], base::Bytes(raw).substr(5), raw.size()};
    if (logged_in_)
      on_message(message, raw);
    else
      on_login_message(message);
  }
}

void SimClient::on_login_message(const postgres::CutMessage& message) {
  switch (message.type) {
    case 'R': return;
    case 'S': return note(told_, message.body);
    case 'K':
      pid_ = base::load_be32(message.body.data());
      key_ = message.body.substr(4);
      return;
    case 'Z':
      logged_in_ = true;
      if (told_ != told_shadow_) fail("was welcomed with other settings than its own");
      return;
    case 'E':
      last_words_ = true;
      if (!options_.tolerance.loss)
        fail("login refused: " + postgres::read_error(message.body).message);
      return;
    default: return fail(std::string("a login with a message of type ") + message.type);
  }
}

void SimClient::on_message(const postgres::CutMessage& message, base::Bytes raw) {
  if (is_own_notice(message)) return;
  if (message.type == 'S') return note(told_, message.body);
  if (message.type == 'E' && on_error(postgres::read_error(message.body), raw)) return;
  if (last_words_) return fail("something after the last words");
  expect(raw);
  if (message.type != 'Z' || !failure_.empty()) return;
  if (told_ != told_shadow_) return fail("believes in other settings than are in force");
  note_answered();
}

// True: it is dealt with.
bool SimClient::on_error(const postgres::ErrorFields& error, base::Bytes raw) {
  if (error.severity == "FATAL") {
    last_words_ = true;
    if (!options_.tolerance.loss) fail("last words: " + error.message);
    return true;
  }
  if (!expected_.empty()) return false;
  const bool cancelled = error.sqlstate == "57014";
  if (cancelled && has_cancelled_ && is_cancelled_sleep()) return false;
  const bool refusal = cancelled || error.sqlstate == "53300" || error.sqlstate == "08006" ||
                       error.sqlstate == "57P03" || error.sqlstate == "28P01";
  if (!refusal) return false;
  if (cancelled ? !has_cancelled_ : !options_.tolerance.refused_turns)
    fail("a turn was refused: " + error.message);
  else if (!shadow_.refuse(raw))
    fail("refused when there was nothing to refuse: " + error.message);
  else
    take(shadow_.take_out());
  return false;
}

// Goes on with the shadow to the sleep that is next, if it is next.
bool SimClient::is_cancelled_sleep() {
  model::ModelSession ahead = shadow_;
  std::string out;
  while (!ahead.sleeping() && out.empty() && ahead.step()) out += ahead.take_out();
  if (!ahead.sleeping() || !out.empty()) return false;
  ahead.wake(true);
  shadow_ = ahead;
  take(shadow_.take_out());
  return true;
}

void SimClient::expect(base::Bytes raw) {
  if (!next_expected()) return fail("an answer that it did not ask for: " + std::string(raw));
  if (!expected_.starts_with(raw))
    return fail("expected " + talk::types(expected_) + " " + readable(expected_) + "\nand saw " +
                readable(raw));
  expected_.erase(0, raw.size());
}

// Lets the shadow work until it has something to say.
bool SimClient::next_expected() {
  while (expected_.empty()) {
    if (shadow_.sleeping())
      shadow_.wake(false);
    else if (!shadow_.step())
      return false;
    take(shadow_.take_out());
  }
  return true;
}

// What the shadow says: ParameterStatus is held against what weir has told at the next
// ReadyForQuery only.
void SimClient::take(const std::string& bytes) {
  base::Bytes rest = bytes;
  while (!rest.empty()) {
    auto cut = postgres::cut_message(rest, base::kPieceBytesMax);
    if (cut->type == 'S')
      note(told_shadow_, cut->body);
    else
      expected_.append(rest.substr(0, cut->consumed));
    rest.remove_prefix(cut->consumed);
  }
}

void SimClient::note(model::Settings& into, base::Bytes body) {
  postgres::BodyReader reader(body);
  const std::string name(reader.text());
  into[name] = std::string(reader.text());
}

void SimClient::fail(const std::string& what) {
  if (!failure_.empty()) return;
  failure_ = "client " + std::to_string(options_.id) + ": " + what;
  for (const std::string& line : history_) failure_ += "\n    " + line;
}

// For whoever has to find out what went wrong.
void SimClient::note_history(std::string line) {
  history_.push_back(std::move(line));
  if (history_.size() > 40) history_.pop_front();
}

std::string SimClient::describe() const {
  std::string last;
  for (const std::string& line : history_) last += "\n    " + line;
  return "client " + std::to_string(options_.id) + (logged_in_ ? "" : " (login)") + " turns " +
         std::to_string(turns_answered_) + "/" + std::to_string(turns_begun_) + "/" +
         std::to_string(options_.turns) + " to write " + std::to_string(to_write_.size()) +
         (cancelling_ ? " cancelling" : "") + (last_words_ ? " last words" : "") + last;
}

}  // namespace weir::sim
