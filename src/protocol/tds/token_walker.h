// Walks through the tokens of a server's messages, in whatever pieces their payload comes (MS-TDS
// 2.2.7). Rows are passed over, without an allocation; what weir has to know is told as events. A
// token or type that it does not know ends the walk until the message ends: whoever forwards goes
// on by the heads of packets (PacketStream), but knows no more how the server stands.
// A value that travels with the server. Memory: two bytes for each column, and what ValueStream
// keeps.
#pragma once

#include <cstdint>
#include <vector>

#include "tokens.h"
#include "value_stream.h"

namespace weir::tds {

// Views live until the next call.
struct TokenEvent {
  enum class Kind : uint8_t {
    Columns,       // of a result: `count`
    Done,          // `done`; `token` says which of the three
    EnvChange,     // `change`; is_known() or not
    Error,         // `number`, `severity`; `body` for read_message()
    Info,          // the same
    LoginAck,      // `body` for read_login_ack(); its version is spoken from here on
    FeatureAck,    // `feature`, its data in `body`
    ReturnStatus,  // `number`
    ReturnValue,   // `count` is its ordinal, `type`, `body`: its bytes, if `whole`
    SessionState,  // `number` is its sequence number, `count` 1: it can be recovered
    FedAuthInfo,
    Sspi,
    Unknown,  // `token`: nothing more is understood of this message
  };
  Kind kind = Kind::Unknown;
  Token token{};
  Bytes body = {};
  EnvChange change = {};
  Done done = {};
  int32_t number = 0;
  uint8_t severity = 0;
  uint32_t count = 0;
  FeatureId feature{};
  TypeId type{};
  bool null = false;
  bool whole = true;     // `body` is all of it
  bool in_place = true;  // `body` looks into the bytes that were given
};

class TokenWalker : private ValueStream {
 public:
  static constexpr size_t kColumnsMax = 4096;       // SQL Server's own bound of a SELECT
  static constexpr size_t kValueBytesMax = 256;     // of a ReturnValue that is told
  static constexpr size_t kFeatureBytesMax = 4096;  // of a FeatureAck that is told

  explicit TokenWalker(Version version) : version_(version) {}

  // Takes bytes of the payload off the front up to the next event. False: all are used up.
  bool next(Bytes& in, TokenEvent& event);

  // The packets say that the message has ended here.
  enum class End : uint8_t {
    Final,    // so do the tokens: the last DONE had no "more"
    Open,     // between two tokens; there was no DONE, or one with "more"
    Cut,      // within a token
    Unknown,  // the walk ended before
  };
  End end_message();

  Version version() const { return version_; }
  void set_version(Version version) { version_ = version; }
  uint64_t rows() const { return rows_; }  // of this message
  bool is_lost() const { return phase_ == Phase::Unknown; }
  // Of a ReturnValue that has not come as a whole: what has.
  size_t value_bytes() const { return phase_ == Phase::Value ? item_bytes() : 0; }

 private:
  enum class Phase : uint8_t { Token, Columns, Row, Value, Features, Unknown };

  // Each takes what it can. True: `event` is to be told; else the phase says how it goes on, and
  // `stop` that more bytes are needed.
  bool step(Bytes& in, TokenEvent& event, bool& stop);
  bool read_token(Bytes& in, TokenEvent& event, bool& stop);
  size_t measure_token(Bytes in);
  bool take_token(Bytes item, TokenEvent& event);
  bool take_whole_token(Bytes body, TokenEvent& event);
  bool take_counted_token(Bytes item, TokenEvent& event);
  bool read_columns(Bytes& in, TokenEvent& event, bool& stop);
  bool pass_row(Bytes& in);
  bool read_value(Bytes& in, TokenEvent& event, bool& stop);
  bool read_feature(Bytes& in, TokenEvent& event, bool& stop);
  bool give_up(TokenEvent& event);
  bool is_null(size_t column) const {
    return (static_cast<uint8_t>(nulls_[column / 8]) >> column % 8 & 1) != 0;
  }

  std::vector<ValueRule> columns_;
  std::string nulls_;  // NBCROW: which columns are; not empty in such a row
  uint64_t rows_ = 0;
  size_t column_ = 0;  // of the row, or of those that are still to be described
  Version version_;
  Phase phase_ = Phase::Token;
  Token token_{};
  TypeInfo value_type_;  // of a RETURNVALUE
  uint16_t ordinal_ = 0;
  bool has_columns_ = false;
  bool encrypts_columns_ = false;  // acknowledged: COLMETADATA has tables of keys
  bool is_final_ = false;          // of the last DONE
};

}  // namespace weir::tds
