// What stands behind SET ("SET Statements (Transact-SQL)"): what can be carried becomes a setting,
// of the rest counts what was said last. A value that lives with the scan of one text, any thread.
#pragma once

#include <array>

#include "sql_text.h"
#include "sql_text_lexer.h"

namespace weir::tds {

enum class Runs : uint8_t { AsBatch, Called };

class SetReader {
 public:
  SetReader(Tokens& tokens, SqlTraits& traits, Runs runs)
      : tokens_(tokens), traits_(traits), runs_(runs) {}

  // Behind SET. `certain`: nothing that came before may have skipped it.
  void on_set(bool certain);
  // What is still on keeps the server.
  void end_text();

 private:
  static constexpr size_t kNamesMax = 16;  // of one list, and of what is on

  struct Named {
    Bytes text;
    const SetOption* option;  // none: nobody knows it
  };
  void read_switches(Named first);
  bool read_names(SetOption::Kind kind);
  void apply(const Named& named, bool on);
  void keep_switch(const Named& named, bool on);
  void read_value(const SetOption& option);
  // All of these take what they return off the front; empty: it is not there.
  std::string take_number();
  std::string take_one_of(std::initializer_list<std::string_view> words);
  std::string take_date_format();
  std::string take_language();
  std::string take_isolation();
  void carry(std::string_view name, std::string value);
  void keep();

  Tokens& tokens_;
  SqlTraits& traits_;
  Runs runs_;
  bool certain_ = true;
  std::array<Named, kNamesMax> names_{};
  size_t names_count_ = 0;
  std::array<Named, kNamesMax> on_{};  // that are kept
  size_t on_count_ = 0;
};

}  // namespace weir::tds
