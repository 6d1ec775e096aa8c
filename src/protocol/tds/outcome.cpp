#include "outcome.h"

#include <algorithm>
#include <sstream>

#include "prepared.h"
#include "sql_text_lexer.h"
#include "utf16.h"

namespace weir::tds {

using protocol::Pin;

namespace {

std::optional<Pin> pin_of(Keeps keeps) {
  switch (keeps) {
    case Keeps::Nothing: return std::nullopt;
    case Keeps::TempTable: return Pin::TempTable;
    case Keeps::Cursor: return Pin::Cursor;
    case Keeps::Prepared: return Pin::Prepared;
    case Keeps::Lock: return Pin::Lock;
    case Keeps::Context: return Pin::Context;
    case Keeps::Setting: return Pin::Setting;
  }
  return Pin::Unclear;
}

void add(Outcome& outcome, SqlTraits traits) {
  if (!outcome.pin) outcome.pin = pin_of(traits.keeps);
  for (Setting& setting : traits.settings) outcome.settings.push_back(std::move(setting));
  outcome.leaves = outcome.leaves || traits.leaves;
  outcome.transaction = outcome.transaction || traits.transaction;
  outcome.ends_server = outcome.ends_server || traits.ends_server;
  outcome.bulk = outcome.bulk || traits.bulk;
  outcome.prepares = outcome.prepares || traits.prepares;
  outcome.sets_context = outcome.sets_context || traits.sets_context;
}

bool equal_texts(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  });
}

void be_unclear(Outcome& outcome) {
  outcome.leaves = outcome.transaction = outcome.sets_context = true;
  if (!outcome.pin) outcome.pin = Pin::Unclear;
}

// The last part of it, without brackets. Empty: it has a number.
Bytes name_of(const CallEvent& call) {
  return call.procedure == Procedure::Named ? Tokens(call.name).take_name() : Bytes();
}

// The family by its numbers or its names alike.
std::optional<Procedure> prepared_procedure(const CallEvent& call) {
  struct Name {
    std::string_view name;
    Procedure procedure;
  };
  static constexpr Name kNames[] = {{"SP_PREPARE", Procedure::Prepare},
                                    {"SP_PREPEXEC", Procedure::PrepExec},
                                    {"SP_EXECUTE", Procedure::Execute},
                                    {"SP_UNPREPARE", Procedure::Unprepare}};
  const Bytes called = name_of(call);
  for (const auto& [name, procedure] : kNames)
    if (call.procedure == procedure || equals_folded(called, name)) return procedure;
  return std::nullopt;
}

bool runs_text(const CallEvent& call) {
  return call.procedure == Procedure::ExecuteSql || equals_folded(name_of(call), "SP_EXECUTESQL");
}

SqlTraits traits_of(const CallEvent& call) {
  return call.procedure == Procedure::Named ? traits_of_call(call.name)
                                            : traits_of_call(call.procedure);
}

// Reads the calls of a message.
class CallJudge {
 public:
  CallJudge(Outcome& outcome, Bytes payload, Version version)
      : outcome_(outcome), payload_(payload), walker_(version, payload.size()) {}

  void judge() {
    Bytes rest = payload_;
    CallEvent event;
    while (outcome_.prepared.size() <= kPreparedCallsMax && walker_.next(rest, event)) {
      if (event.kind == CallEvent::Kind::Unknown) return be_unclear(outcome_);
      if (event.kind == CallEvent::Kind::Call) on_call(event);
      if (event.kind == CallEvent::Kind::Parameter)
        on_parameter(event, payload_.size() - rest.size());
    }
  }

 private:
  void on_call(const CallEvent& event) {
    const uint32_t number = outcome_.calls++;
    call_ = nullptr;
    runs_text_ = runs_text(event);
    if (runs_text_) return;
    if (const auto procedure = prepared_procedure(event)) {
      call_ = &outcome_.prepared.emplace_back();
      call_->procedure = *procedure;
      call_->number = number;
      return;
    }
    add(outcome_, traits_of(event));
  }

  // `end`: where it ends in the payload.
  void on_parameter(const CallEvent& event, size_t end) {
    if (runs_text_ && event.index == 0) {
      add(outcome_, scan_called_sql(event.value));
      if (!event.whole) be_unclear(outcome_);
    }
    if (!call_) return;
    if (event.index == 0) {
      call_->handle = event.integer();
      call_->handle_at = event.at;
      // Some drivers say 0 where there is none yet.
      call_->names = !event.null && !(is_preparing() && call_->handle == 0);
      begin_ = end;
    } else if (event.index == 2 && is_preparing()) {
      SqlTraits traits = scan_called_sql(event.value);
      const bool unclear = !event.whole || traits.keeps != Keeps::Nothing || traits.ends_server ||
                           end - begin_ > kDefinitionBytesMax;
      if (unclear) return add(outcome_, std::move(traits)), be_unclear(outcome_);
      if (call_->procedure == Procedure::PrepExec) add(outcome_, traits);  // which runs it
      call_->definition.push_back(static_cast<char>((traits.leaves ? kMayLeave : 0) |
                                                    (traits.transaction ? kMayTransact : 0)));
      call_->definition += payload_.substr(begin_, end - begin_);
    }
  }

  bool is_preparing() const {
    return call_->procedure == Procedure::Prepare || call_->procedure == Procedure::PrepExec;
  }

  Outcome& outcome_;
  const Bytes payload_;
  CallWalker walker_;
  PreparedCall* call_ = nullptr;
  size_t begin_ = 0;
  bool runs_text_ = false;
};

constexpr const char* kIsolations[] = {
    "", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "SNAPSHOT"};

// 2.2.6.9: an isolation level that is begun with stays when the transaction is over.
void judge_transaction(Outcome& outcome, const TransactionRequest& request) {
  outcome.transaction = true;
  switch (request.action) {
    case TransactionAction::Begin:
    case TransactionAction::Commit:
    case TransactionAction::Rollback:
      if (request.isolation > 0 && request.isolation < std::size(kIsolations))
        outcome.settings.push_back({"TRANSACTION ISOLATION LEVEL", kIsolations[request.isolation]});
      return;
    case TransactionAction::Save: return;
    default:  // distributed ones
      outcome.ends_server = true;
      return be_unclear(outcome);
  }
}

}  // namespace

void Outcome::forget_calls() {
  constexpr size_t kKept = 32;
  prepared.clear();
  patches.clear();
  if (prepared.capacity() > kKept) std::vector<PreparedCall>().swap(prepared);
  if (patches.capacity() > kKept) std::vector<Patch>().swap(patches);
}

void Outcome::clear() {
  forget_calls();
  calls = 0;
  settings.clear();
  pin.reset();
  leaves = transaction = ends_server = bulk = resets = keeps_transaction = false;
  sets_context = prepares = native = false;
}

void judge_request(const SeenRequest& request, Version version, Outcome& outcome) {
  if (request.type == PacketType::Bulk) return;
  const RequestHead head = read_request_head(request.type, version, request.payload, request.whole);
  if (head.seen != Seen::Whole) return be_unclear(outcome);
  switch (request.type) {
    case PacketType::Batch: add(outcome, scan_sql(head.body)); break;
    case PacketType::Rpc: CallJudge(outcome, request.payload, version).judge(); break;
    default: judge_transaction(outcome, head.transaction); break;
  }
  // More may be said behind what has been seen.
  if (!request.whole && request.type != PacketType::Rpc) be_unclear(outcome);
}

// Their numbers cannot be changed any more.
void LaterCalls::take(Bytes payload, Outcome& outcome) {
  CallEvent event;
  while (walker_.next(payload, event)) {
    if (event.kind == CallEvent::Kind::Unknown) be_unclear(outcome);
    if (event.kind == CallEvent::Kind::Call) on_call(event, outcome);
    if (event.kind != CallEvent::Kind::Parameter || !runs_text_ || event.index != 0) continue;
    add(outcome, scan_called_sql(event.value));
    if (!event.whole) be_unclear(outcome);
  }
  outcome.native = outcome.native || outcome.prepares;
}

void LaterCalls::on_call(const CallEvent& event, Outcome& outcome) {
  runs_text_ = runs_text(event);
  if (prepared_procedure(event)) {
    outcome.native = true;
    return be_unclear(outcome);
  }
  if (!runs_text_) add(outcome, traits_of(event));
}

void LaterCalls::end(Outcome& outcome) {
  if (!walker_.end_message()) be_unclear(outcome);
}

bool begins_bulk(const SeenRequest& request, Version version) {
  if (request.type != PacketType::Batch) return false;
  const RequestHead head = read_request_head(request.type, version, request.payload, request.whole);
  return head.seen == Seen::Whole && scan_sql(head.body.substr(0, kBulkBytes)).bulk;
}

std::vector<PreparedCall> unprepares_in(const SeenRequest& request, Version version) {
  const RequestHead head = read_request_head(request.type, version, request.payload, request.whole);
  std::string text;
  if (!request.whole || head.seen != Seen::Whole || !append_utf8(text, head.body)) return {};
  const auto to_space = [](char c) { return c == ';' || c == ',' ? ' ' : c; };
  std::transform(text.begin(), text.end(), text.begin(), to_space);
  std::istringstream words(text);
  std::vector<PreparedCall> calls;
  std::string exec, procedure;
  int32_t handle = 0;
  while (words >> exec) {
    const bool is_one = (equal_texts(exec, "exec") || equal_texts(exec, "execute")) &&
                        words >> procedure && equal_texts(procedure, "sp_unprepare") &&
                        words >> handle;
    if (!is_one) return {};
    calls.push_back({.procedure = Procedure::Unprepare, .handle = handle});
  }
  return calls;
}

}  // namespace weir::tds
