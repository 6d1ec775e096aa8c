// What a client leaves in its server's session: not the settings that the server reports, nor
// statements made by Parse, which weir carries without asking. Tags say that something may have
// been left, or be gone again; one question to the server says whether it is so. What can be put in
// force anywhere is carried, for anything else the client keeps its server. Of clients whose
// servers change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/intern.h>
#include <weir/protocol/postgres.h>
#include <weir/protocol/protocol.h>

namespace weir::postgres {

enum Remainder : uint8_t {
  kListening = 1,
  kTempObjects = 2,
  kHeldCursors = 4,
  kSqlStatements = 8,  // of SQL's PREPARE
  kLocks = 16,         // advisory ones, of the session
  kSettings = 32,
  kEverything = 63,
};

// Those of these settings that the server may have in no list.
std::vector<std::string> made_up_names(const base::Interned& settings);

class Remains {
 public:
  // What the server has said of settings.
  struct Answer {
    bool is_refused = false;           // it has said nothing at all; is_suspected(): ask again
    bool is_too_long = false;          // not all has been kept
    bool lacks_settings = false;       // one may have been set, and none is there
    std::vector<std::string> about;    // of these, the others are not set
    bool any = false;                  // and of all that an application has not made up
    std::vector<std::string> staying;  // but for these, which cannot be carried
    SettingMap settings;               // names in lower case
    bool concerns(const std::string& name) const;
  };

  // A text is about to run that sets these, should it set any; empty: one that has no simple name.
  // Not all of them: others as well.
  void may_set(const std::vector<std::string>& names, bool are_all);
  // A statement has run that may have made some of this.
  void suspect(uint8_t kinds) { suspected_ |= kinds; }
  // May have removed what is there.
  void doubt() { suspected_ |= found_; }
  // Of a suspected setting: what the server has read meanwhile may mean something else without it.
  bool may_change_reading() const;
  // The server did not understand a question about these: it is not to be asked again.
  uint8_t mute() const { return mute_; }

  // The question's text; of what is carried and in no list too. From now on is_asking(), until
  // conclude().
  std::string ask(const base::Interned& carried);
  bool is_suspected() const { return suspected_ != 0; }
  void forget_names() {  // those texts have run
    if (!settings_.empty()) settings_.clear();
    any_setting_ = too_many_settings_ = false;
  }
  bool is_asking() const { return asked_.has_value(); }
  bool on_row(base::Bytes data_row);  // the body of a DataRow; false: not of this question
  void on_refusal(const base::Error& error);
  Answer conclude();

  void too_many_settings() { found_ |= kSettings; }  // to be carried, until all are reset
  void settings_reset() { found_ &= static_cast<uint8_t>(~kSettings); }
  void keep_for(protocol::Pin reason) { kept_ = reason; }  // until all is cleared
  void note_identity(bool is_another) { is_another_ = is_another; }
  std::optional<protocol::Pin> pin() const {
    return keeps() ? std::optional(reason()) : std::nullopt;
  }
  bool any() const { return suspected_ != 0 || keeps(); }
  void clear();  // a reset has removed all; what is yet to run is remembered

 private:
  struct Asked {
    uint8_t kinds = 0;
    uint8_t found = 0;
    size_t bytes = 0;  // of settings
    std::string sqlstate;
    Answer answer;
  };
  bool keeps() const { return found_ != 0 || kept_ || is_another_; }
  protocol::Pin reason() const;
  void note_setting(std::string_view name, std::string_view value);

  uint8_t suspected_ = 0;
  uint8_t found_ = 0;
  bool any_setting_ = false;  // may be set by the texts that run
  bool too_many_settings_ = false;
  uint8_t mute_ = 0;
  bool was_refused_ = false;  // the last question; by a cancel that came late, say
  bool is_another_ = false;   // somebody else than who has logged in
  std::optional<protocol::Pin> kept_;
  std::vector<std::string> settings_;  // that those may set
  std::optional<Asked> asked_;
};

}  // namespace weir::postgres
