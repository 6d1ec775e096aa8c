#include "token_walker.h"

namespace weir::tds {

namespace {

constexpr uint16_t kNoMetadata = 0xffff;  // 2.2.7.4: the client has said that it knows

uint8_t byte_at(Bytes in, size_t at) { return static_cast<uint8_t>(in[at]); }

}  // namespace

bool TokenWalker::next(Bytes& in, TokenEvent& event) {
  const Bytes given = in;
  event = TokenEvent();
  for (bool stop = false; !stop;) {
    if (!go_on(in)) return false;
    if (!step(in, event, stop)) continue;
    const char* begin = event.body.data();
    event.in_place = begin >= given.data() && begin < given.data() + given.size();
    return true;
  }
  return false;
}

bool TokenWalker::step(Bytes& in, TokenEvent& event, bool& stop) {
  switch (phase_) {
    case Phase::Token: return read_token(in, event, stop);
    case Phase::Columns: return read_columns(in, event, stop);
    case Phase::Value: return read_value(in, event, stop);
    case Phase::Features: return read_feature(in, event, stop);
    case Phase::Row:
      stop = !pass_row(in);
      if (!stop) phase_ = Phase::Token;
      return false;
    case Phase::Unknown:
      in = {};
      stop = true;
      return false;
  }
  return false;
}

TokenWalker::End TokenWalker::end_message() {
  const bool lost = is_lost();
  const bool border = phase_ == Phase::Token && is_whole();
  const bool final = is_final_;
  start_again();
  constexpr size_t kColumnsKept = 64;
  if (columns_.capacity() > kColumnsKept) columns_ = std::vector<ValueRule>();
  columns_.clear();
  nulls_.clear();
  has_columns_ = false;
  phase_ = Phase::Token;
  rows_ = 0;
  is_final_ = false;
  if (lost) return End::Unknown;
  if (!border) return End::Cut;
  return final ? End::Final : End::Open;
}

bool TokenWalker::give_up(TokenEvent& event) {
  start_again();
  phase_ = Phase::Unknown;
  event = TokenEvent();  // what it looked at may be gone
  event.token = token_;
  return true;
}

// ---------------------------------------------------------------- tokens

bool TokenWalker::read_token(Bytes& in, TokenEvent& event, bool& stop) {
  if (in.empty() && !is_item_cut()) {
    stop = true;
    return false;
  }
  Bytes item;
  const Got got = gather(in, item, [this](Bytes bytes) { return measure_token(bytes); });
  stop = got == Got::More;
  if (got == Got::Unknown) return give_up(event);
  return got == Got::Whole && take_token(item, event);
}

// The token, or of those that are long as much of it as is needed to pass it.
size_t TokenWalker::measure_token(Bytes in) {
  if (in.empty()) return 1;
  token_ = static_cast<Token>(in[0]);
  Ruler ruler(in);
  ruler.skip(1);
  switch (token_) {
    case Token::Done:
    case Token::DoneProc:
    case Token::DoneInProc: return 1 + done_bytes(version_);
    case Token::Row: return has_columns_ ? 1 : 0;
    case Token::NbcRow: return has_columns_ ? 1 + (columns_.size() + 7) / 8 : 0;
    case Token::EnvChange:
    case Token::Error:
    case Token::Info:
    case Token::LoginAck: ruler.skip(ruler.le<uint16_t>()); return ruler.bytes();
    case Token::Order:
    case Token::TableName:
    case Token::ColumnInfo:
    case Token::Sspi: return 1 + 2;
    case Token::FedAuthInfo: return 1 + 4;
    case Token::SessionState: {
      constexpr size_t kHead = 5;
      ruler.skip(std::min<size_t>(ruler.le<uint32_t>(), kHead));
      return ruler.bytes();
    }
    case Token::ReturnStatus:
    case Token::Offset: return 1 + 4;
    case Token::ColumnMetadata: return encrypts_columns_ ? 0 : 1 + 2;
    case Token::ReturnValue: {
      if (encrypts_columns_) return 0;
      ruler.skip(2);
      ruler.text8();
      ruler.skip(1 + (is_since_72(version_) ? 4 : 2) + 2);
      const bool known = measure_type(ruler, TypePlace::ReturnValue, value_type_);
      return known ? ruler.bytes() : 0;
    }
    case Token::FeatureExtAck: return 1;
    // COMPUTE BY ended with SQL Server 2012; classification is sent to who acknowledged it only.
    case Token::AltMetadata:
    case Token::AltRow:
    case Token::DataClassification: return 0;
  }
  return 0;
}

bool TokenWalker::take_token(Bytes item, TokenEvent& event) {
  event.token = token_;
  switch (token_) {
    case Token::Done:
    case Token::DoneProc:
    case Token::DoneInProc:
      event.kind = TokenEvent::Kind::Done;
      event.done = read_done(item.substr(1), version_);
      is_final_ = (event.done.status & kDoneMore) == 0;
      return true;
    case Token::NbcRow: nulls_ = item.substr(1); [[fallthrough]];
    case Token::Row:
      if (token_ == Token::Row) nulls_.clear();
      ++rows_;
      column_ = 0;
      phase_ = Phase::Row;
      return false;
    case Token::ReturnStatus:
      event.kind = TokenEvent::Kind::ReturnStatus;
      event.number = load_le<int32_t>(item.data() + 1);
      return true;
    case Token::ColumnMetadata: {
      const auto count = load_le<uint16_t>(item.data() + 1);
      has_columns_ = count != kNoMetadata;
      columns_.clear();
      column_ = has_columns_ ? count : 0;
      if (column_ > kColumnsMax) return give_up(event);
      phase_ = Phase::Columns;
      return false;
    }
    case Token::ReturnValue:
      ordinal_ = load_le<uint16_t>(item.data() + 1);
      phase_ = Phase::Value;
      return false;
    case Token::FeatureExtAck: phase_ = Phase::Features; return false;
    case Token::EnvChange:
    case Token::Error:
    case Token::Info:
    case Token::LoginAck: return take_whole_token(item.substr(3), event);
    default: return take_counted_token(item, event);
  }
}

bool TokenWalker::take_whole_token(Bytes body, TokenEvent& event) {
  event.body = body;
  if (token_ == Token::EnvChange) {
    const auto change = read_env_change(body);
    if (!change) return give_up(event);
    event.kind = TokenEvent::Kind::EnvChange;
    event.change = *change;
    return true;
  }
  if (token_ == Token::LoginAck) {
    const auto ack = read_login_ack(body);
    const auto version = ack ? version_of(ack->wire_version) : std::nullopt;
    if (!version) return give_up(event);
    version_ = *version;
    event.kind = TokenEvent::Kind::LoginAck;
    return true;
  }
  constexpr size_t kNumbers = 6;
  if (body.size() < kNumbers) return give_up(event);
  event.kind = token_ == Token::Error ? TokenEvent::Kind::Error : TokenEvent::Kind::Info;
  event.number = load_le<int32_t>(body.data());
  event.severity = byte_at(body, 5);
  return true;
}

// Those that are passed over, or nearly.
bool TokenWalker::take_counted_token(Bytes item, TokenEvent& event) {
  switch (token_) {
    case Token::Order:
    case Token::TableName:
    case Token::ColumnInfo: skip_ = load_le<uint16_t>(item.data() + 1); return false;
    case Token::Sspi:
      skip_ = load_le<uint16_t>(item.data() + 1);
      event.kind = TokenEvent::Kind::Sspi;
      return true;
    case Token::FedAuthInfo:
      skip_ = load_le<uint32_t>(item.data() + 1);
      event.kind = TokenEvent::Kind::FedAuthInfo;
      return true;
    case Token::SessionState: {
      Reader reader(item.substr(1));
      skip_ = reader.u32();
      skip_ -= reader.rest().size();
      event.kind = TokenEvent::Kind::SessionState;
      event.number = reader.le<int32_t>();
      event.count = reader.u8() & 1;
      return reader.ok() || give_up(event);
    }
    default: return false;  // OFFSET
  }
}

// ---------------------------------------------------------------- results

bool TokenWalker::read_columns(Bytes& in, TokenEvent& event, bool& stop) {
  for (; column_ > 0; --column_) {
    ValueRule rule;
    Bytes item;
    const Got got =
        gather(in, item, [&](Bytes bytes) { return measure_column(bytes, version_, rule); });
    stop = got == Got::More;
    if (got == Got::Unknown) return give_up(event);
    if (stop) return false;
    columns_.push_back(rule);
  }
  phase_ = Phase::Token;
  event.kind = TokenEvent::Kind::Columns;
  event.token = token_;
  event.count = static_cast<uint32_t>(columns_.size());
  return true;
}

bool TokenWalker::pass_row(Bytes& in) {
  while (column_ < columns_.size()) {
    const ValueRule rule = columns_[column_];
    if (!nulls_.empty() && is_null(column_)) {
      ++column_;
      continue;
    }
    const size_t bytes = is_item_cut() ? 0 : whole_value_bytes(rule, in);
    if (bytes > 0 && bytes <= in.size()) {
      in.remove_prefix(bytes);
      ++column_;
      continue;
    }
    if (!begin_value(in, rule)) return false;
    ++column_;
    if (!go_on(in)) return false;
  }
  return true;
}

// Of a RETURNVALUE (2.2.7.19).
bool TokenWalker::read_value(Bytes& in, TokenEvent& event, bool& stop) {
  const ValueRule rule = value_type_.rule;
  const auto measure = [&](Bytes bytes) {
    const size_t prefix = std::max<size_t>(measure_prefix(rule, bytes), 1);
    if (rule.shape == Shape::Chunks || rule.shape == Shape::Long || bytes.size() < prefix)
      return prefix;
    const size_t whole = whole_value_bytes(rule, bytes);
    return whole - prefix > kValueBytesMax ? prefix : whole;
  };
  event.kind = TokenEvent::Kind::ReturnValue;
  event.token = token_;
  event.count = ordinal_;
  event.type = value_type_.type;
  phase_ = Phase::Token;
  if (rule.shape == Shape::Fixed && rule.bytes == 0) return true;
  Bytes item;
  const Got got = gather(in, item, measure);
  stop = got == Got::More;
  if (stop) {
    phase_ = Phase::Value;
    return false;
  }
  const size_t prefix_bytes = measure_prefix(rule, item);
  const ValueSize size = read_prefix(rule, item.substr(0, prefix_bytes));
  event.body = item.substr(prefix_bytes);
  event.null = size.null;
  event.whole = !size.chunks && event.body.size() == size.bytes;
  if (!event.whole) pass_over(size);
  return true;
}

bool TokenWalker::read_feature(Bytes& in, TokenEvent& event, bool& stop) {
  const auto measure = [](Bytes bytes) {
    Ruler ruler(bytes);
    if (ruler.le<uint8_t>() == static_cast<uint8_t>(FeatureId::Terminator)) return size_t{1};
    const auto length = ruler.le<uint32_t>();
    ruler.skip(length > kFeatureBytesMax ? 0 : length);
    return ruler.bytes();
  };
  Bytes item;
  const Got got = gather(in, item, measure);
  stop = got == Got::More;
  if (stop) return false;
  const auto feature = static_cast<FeatureId>(item[0]);
  if (feature == FeatureId::Terminator) {
    phase_ = Phase::Token;
    return false;
  }
  event.feature = feature;
  if (event.feature == FeatureId::ColumnEncryption) encrypts_columns_ = true;
  const auto length = load_le<uint32_t>(item.data() + 1);
  event.kind = TokenEvent::Kind::FeatureAck;
  event.token = token_;
  event.body = item.substr(5);
  event.whole = event.body.size() == length;
  if (!event.whole) skip_ = length;
  return true;
}

}  // namespace weir::tds
