// Walks through the calls of a message of type Rpc, in whatever pieces its payload comes (MS-TDS
// 2.2.6.6 "RPC Request"): which procedures are called, and how the first values that they get
// begin. A table (2.2.5.5.5) is passed over. What it does not know (an encrypted parameter) ends
// the walk until the message ends; it is forwarded all the same.
// A value that lives with the client. Memory: what ValueStream keeps, of a text as much as is told,
// and two bytes for each column of a table.
#pragma once

#include <cstdint>
#include <vector>

#include "request.h"
#include "value_stream.h"

namespace weir::tds {

// 2.2.6.6, ProcID.
enum class Procedure : uint16_t {
  Named = 0,
  Cursor = 1,
  CursorOpen = 2,
  CursorPrepare = 3,
  CursorExecute = 4,
  CursorPrepExec = 5,
  CursorUnprepare = 6,
  CursorFetch = 7,
  CursorOption = 8,
  CursorClose = 9,
  ExecuteSql = 10,
  Prepare = 11,
  Execute = 12,
  PrepExec = 13,
  PrepExecRpc = 14,
  Unprepare = 15,
};

// Of the option flags.
constexpr uint16_t kNoMetadataOption = 0x0002;  // rows will come that nobody else can read

constexpr uint8_t kByReference = 0x01;  // of a parameter's status
constexpr uint8_t kEncrypted = 0x08;

// Views live until the next call. Places count from the beginning of the message's payload.
struct CallEvent {
  enum class Kind : uint8_t {
    Headers,    // `headers`, since 7.2
    Call,       // `procedure` and, if Named, `name`; `options`, which stand at `at`
    Parameter,  // `index`, `name`, `status`, `type`; `value` is its bytes from `at` on, or their
                // beginning
    Unknown,    // nothing more is understood of this message
  };
  Kind kind = Kind::Unknown;
  AllHeaders headers = {};
  Procedure procedure = Procedure::Named;
  Bytes name = {};  // UTF-16LE
  uint16_t options = 0;
  uint16_t index = 0;
  uint8_t status = 0;
  TypeId type{};
  Bytes value = {};
  uint64_t at = 0;  // of a value in chunks, or of one that came in pieces: of the first byte
  bool null = false;
  bool whole = true;      // `value` is all of it
  bool in_place = false;  // `value` looks into the bytes that were given

  // Of an integer of four bytes that is no null: a handle, say.
  std::optional<int32_t> integer() const;
};

class CallWalker : private ValueStream {
 public:
  static constexpr uint16_t kParametersTold = 4;  // of each call

  // Of a value less than `text_bytes_max` is told.
  explicit CallWalker(Version version, size_t text_bytes_max = 32 * 1024)
      : text_bytes_max_(text_bytes_max), version_(version) {}

  // Takes bytes of the payload off the front up to the next event. False: all are used up.
  bool next(Bytes& in, CallEvent& event);
  // The packets say that the message has ended here. False: it was not understood to its end, or is
  // not whole.
  bool end_message();
  bool is_lost() const { return phase_ == Phase::Unknown; }

 private:
  enum class Phase : uint8_t {
    Headers,
    Call,
    Parameter,
    Value,
    Rest,
    Columns,  // of a table
    Orders,   // what is said of them all
    Row,      // another one, or the end
    Cell,
    CellRest,
    Unknown,
  };

  bool step(Bytes& in, CallEvent& event, bool& stop);
  bool read_headers(Bytes& in, CallEvent& event, bool& stop);
  bool read_call(Bytes& in, CallEvent& event, bool& stop);
  bool read_parameter(Bytes& in, CallEvent& event, bool& stop);
  bool read_value(Bytes& in, CallEvent& event, bool& stop);
  bool read_rest(Bytes& in, CallEvent& event, bool& stop);
  bool read_columns(Bytes& in, CallEvent& event, bool& stop);
  bool read_orders(Bytes& in, CallEvent& event, bool& stop);
  bool read_row(Bytes& in, CallEvent& event, bool& stop);
  bool read_cell(Bytes& in, bool& stop);
  bool tell_at_once(Bytes& in, CallEvent& event);
  void tell(CallEvent& event) const;
  bool give_up(CallEvent& event);
  bool is_separator(uint8_t byte) const;
  Phase first_phase() const { return is_since_72(version_) ? Phase::Headers : Phase::Call; }
  uint64_t place(Bytes in) const { return given_ - in.size(); }

  size_t text_bytes_max_;
  std::string name_;    // of the parameter, UTF-16LE
  uint64_t given_ = 0;  // bytes of this message, with all that was given to the running call
  uint64_t value_at_ = 0;
  TypeInfo type_;
  std::vector<ValueRule> columns_;  // of which values come
  uint16_t column_ = 0;             // of the row, or of those that are still to be described
  uint16_t index_ = 0;
  uint8_t status_ = 0;
  Version version_;
  Phase phase_ = first_phase();
  bool called_ = false;  // there was a call
  bool untold_ = false;  // the value that is being passed
};

}  // namespace weir::tds
