#include "call_walker.h"

namespace weir::tds {

namespace {

constexpr uint8_t kTable = 0xf3;
constexpr uint16_t kNoColumns = 0xffff;
constexpr size_t kColumnsMax = 1024;

bool is_table(Bytes parameter, const Ruler& head) {
  return !head.stopped() && head.bytes() < parameter.size() &&
         static_cast<uint8_t>(parameter[head.bytes()]) == kTable;
}

// Up to the number of its columns.
size_t measure_table(Ruler& ruler) {
  ruler.skip(1);
  for (int i = 0; i < 3; ++i) ruler.text8();  // the type's name
  ruler.skip(2);
  return ruler.bytes();
}

}  // namespace

std::optional<int32_t> CallEvent::integer() const {
  const bool kind_of_int = type == TypeId::Int4 || type == TypeId::IntN;
  if (!kind_of_int || null || !whole || value.size() != 4) return std::nullopt;
  return load_le<int32_t>(value.data());
}

bool CallWalker::next(Bytes& in, CallEvent& event) {
  const Bytes given = in;
  given_ += given.size();
  event = CallEvent();
  bool told = false;
  for (bool stop = false; !stop && !told;) told = step(in, event, stop);
  given_ -= in.size();
  const char* begin = event.value.data();
  event.in_place = begin >= given.data() && begin < given.data() + given.size();
  return told;
}

bool CallWalker::step(Bytes& in, CallEvent& event, bool& stop) {
  switch (phase_) {
    case Phase::Headers: return read_headers(in, event, stop);
    case Phase::Call: return read_call(in, event, stop);
    case Phase::Parameter: return read_parameter(in, event, stop);
    case Phase::Value: return read_value(in, event, stop);
    case Phase::Rest: return read_rest(in, event, stop);
    case Phase::Columns: return read_columns(in, event, stop);
    case Phase::Orders: return read_orders(in, event, stop);
    case Phase::Row: return read_row(in, event, stop);
    case Phase::Cell:
    case Phase::CellRest: return read_cell(in, stop);
    case Phase::Unknown:
      in = {};
      stop = true;
      return false;
  }
  return false;
}

bool CallWalker::end_message() {
  const bool good = phase_ == Phase::Parameter && called_ && is_whole();
  start_again();
  phase_ = first_phase();
  given_ = 0;
  called_ = false;
  return good;
}

bool CallWalker::give_up(CallEvent& event) {
  start_again();
  phase_ = Phase::Unknown;
  event = CallEvent();  // what it looked at may be gone
  return true;
}

bool CallWalker::read_headers(Bytes& in, CallEvent& event, bool& stop) {
  const auto measure = [&](Bytes bytes) {
    event.headers = read_all_headers(bytes);
    return event.headers.seen == Seen::Bad ? 0 : event.headers.bytes;
  };
  Bytes item;
  const Got got = gather(in, item, measure);
  stop = got == Got::More;
  if (got == Got::Unknown) return give_up(event);
  if (stop) return false;
  phase_ = Phase::Call;
  event.kind = CallEvent::Kind::Headers;
  return true;
}

bool CallWalker::read_call(Bytes& in, CallEvent& event, bool& stop) {
  constexpr uint16_t kNumbered = 0xffff;
  const auto measure = [](Bytes bytes) {
    Ruler ruler(bytes);
    const auto length = ruler.le<uint16_t>();
    ruler.skip(length == kNumbered ? 2 : size_t{2} * length);
    ruler.skip(2);
    return ruler.bytes();
  };
  Bytes item;
  const Got got = gather(in, item, measure);
  stop = got == Got::More;
  if (got == Got::Unknown) return give_up(event);
  if (stop) return false;
  Reader reader(item);
  const uint16_t length = reader.u16();
  if (length == kNumbered)
    event.procedure = static_cast<Procedure>(reader.u16());
  else
    event.name = reader.raw(size_t{2} * length);
  event.options = reader.u16();
  event.at = place(in) - 2;
  event.kind = CallEvent::Kind::Call;
  index_ = 0;
  called_ = true;
  phase_ = Phase::Parameter;
  return true;
}

// 0xff between two calls, 0xfe behind one that is not to be executed; before 7.2 0x80 between two.
bool CallWalker::is_separator(uint8_t byte) const {
  return is_since_72(version_) ? byte >= 0xfe : byte == 0x80;
}

bool CallWalker::read_parameter(Bytes& in, CallEvent& event, bool& stop) {
  if (in.empty() && !is_item_cut()) {
    stop = true;
    return false;
  }
  const auto measure = [&](Bytes bytes) {
    if (!bytes.empty() && is_separator(static_cast<uint8_t>(bytes[0]))) return size_t{1};
    Ruler ruler(bytes);
    ruler.text8();
    const auto status = ruler.le<uint8_t>();
    if (is_table(bytes, ruler)) return measure_table(ruler);
    const bool known = measure_type(ruler, TypePlace::Parameter, type_);
    return known && (status & kEncrypted) == 0 ? ruler.bytes() : 0;
  };
  Bytes item;
  const Got got = gather(in, item, measure);
  stop = got == Got::More;
  if (got == Got::Unknown) return give_up(event);
  if (stop) return false;
  if (is_separator(static_cast<uint8_t>(item[0]))) {
    phase_ = Phase::Call;
    return false;
  }
  Reader reader(item);
  const Bytes name = reader.text8();
  status_ = reader.u8();
  if (index_ < kParametersTold) name_ = name;
  phase_ = Phase::Value;
  if (reader.u8() != kTable) return false;
  const auto columns = load_le<uint16_t>(item.data() + item.size() - 2);
  column_ = columns == kNoColumns ? 0 : columns;
  columns_.clear();
  phase_ = Phase::Columns;
  return false;
}

// ---------------------------------------------------------------- tables (2.2.5.5.5)

bool CallWalker::read_columns(Bytes& in, CallEvent& event, bool& stop) {
  constexpr uint16_t kDefault = 0x0200;  // no values come for it
  if (column_ == 0) {
    phase_ = Phase::Orders;
    return false;
  }
  const auto measure = [&](Bytes bytes) {
    Ruler ruler(bytes);
    ruler.skip(4 + 2);  // user type, flags
    const bool known = measure_type(ruler, TypePlace::Parameter, type_);
    ruler.text8();
    return known ? ruler.bytes() : 0;
  };
  Bytes item;
  const Got got = gather(in, item, measure);
  stop = got == Got::More;
  if (got == Got::Unknown || columns_.size() == kColumnsMax) return give_up(event);
  if (stop) return false;
  if ((load_le<uint16_t>(item.data() + 4) & kDefault) == 0) columns_.push_back(type_.rule);
  --column_;
  return false;
}

bool CallWalker::read_orders(Bytes& in, CallEvent& event, bool& stop) {
  constexpr char kEnd = 0, kOrderUnique = 0x10, kOrdering = 0x11;
  if (in.empty() && !is_item_cut()) return stop = true, false;
  const auto measure = [](Bytes bytes) -> size_t {
    if (bytes.empty() || bytes[0] == kEnd) return 1;
    if (bytes[0] != kOrderUnique && bytes[0] != kOrdering) return 0;
    if (bytes.size() < 3) return 3;
    return 3 + load_le<uint16_t>(bytes.data() + 1) * (bytes[0] == kOrderUnique ? size_t{3} : 2);
  };
  Bytes item;
  const Got got = gather(in, item, measure);
  stop = got == Got::More;
  if (got == Got::Unknown) return give_up(event);
  if (!stop && item[0] == kEnd) phase_ = Phase::Row;
  return false;
}

bool CallWalker::read_row(Bytes& in, CallEvent& event, bool& stop) {
  constexpr char kEnd = 0, kRow = 1;
  if (in.empty()) return stop = true, false;
  const char token = take(in, 1)[0];
  if (token != kEnd && token != kRow) return give_up(event);
  phase_ = token == kRow ? Phase::Cell : Phase::Parameter;
  column_ = 0;
  if (token == kEnd && index_ < UINT16_MAX) ++index_;
  return false;
}

bool CallWalker::read_cell(Bytes& in, bool& stop) {
  while (column_ < columns_.size()) {
    if (phase_ == Phase::Cell && !begin_value(in, columns_[column_])) return stop = true, false;
    phase_ = Phase::CellRest;
    if (!go_on(in)) return stop = true, false;
    phase_ = Phase::Cell;
    ++column_;
  }
  phase_ = Phase::Row;
  return false;
}

// ---------------------------------------------------------------- values

bool CallWalker::read_value(Bytes& in, CallEvent& event, bool& stop) {
  untold_ = index_ < kParametersTold;
  if (untold_ && !is_item_cut() && tell_at_once(in, event)) return true;
  if (!begin_value(in, type_.rule)) {
    stop = true;
    return false;
  }
  value_at_ = place(in);
  capture_next(untold_ ? text_bytes_max_ : 0);
  phase_ = Phase::Rest;
  return false;
}

// Most values are short and there as a whole.
bool CallWalker::tell_at_once(Bytes& in, CallEvent& event) {
  const size_t bytes = whole_value_bytes(type_.rule, in);
  if (bytes == 0 || bytes > in.size()) return false;
  const Bytes whole = take(in, bytes);
  const size_t prefix_bytes = measure_prefix(type_.rule, whole);
  const ValueSize size = read_prefix(type_.rule, whole.substr(0, prefix_bytes));
  null_ = size.null;
  value_at_ = place(in) - size.bytes;
  tell(event);
  event.value = whole.substr(prefix_bytes, text_bytes_max_);
  event.whole = size.bytes < text_bytes_max_;
  ++index_;
  phase_ = Phase::Parameter;
  return true;
}

// The value is told as soon as enough of it is there.
bool CallWalker::read_rest(Bytes& in, CallEvent& event, bool& stop) {
  const bool done = go_on(in);
  stop = !done;
  const bool tells = untold_ && (done || capture_left_ == 0);
  if (tells) {
    tell(event);
    event.value = captured_;
    event.whole = capture_left_ > 0;
    untold_ = false;
    capture_left_ = 0;
  }
  if (!done) return tells;
  if (index_ < UINT16_MAX) ++index_;
  phase_ = Phase::Parameter;
  return tells;
}

void CallWalker::tell(CallEvent& event) const {
  event.kind = CallEvent::Kind::Parameter;
  event.index = index_;
  event.name = name_;
  event.status = status_;
  event.type = type_.type;
  event.null = null_;
  event.at = value_at_;
}

}  // namespace weir::tds
