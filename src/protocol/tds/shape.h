// What of a LOGIN7 changes how its server behaves later (MS-TDS 2.2.6.4): clients of one shape may
// share servers, others never do. A shape is a number, so that a pool can compare it.
#pragma once

#include <cstdint>
// tidy(pure-protocol): the logins of all workers share the numbers
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "login7.h"

namespace weir::tds {

// The languages that clients have named; each has a number from 1 on. Any thread.
class Languages {
 public:
  static constexpr size_t kMost = 1000;  // SQL Server has 34, and as many aliases
  // 0 of no name; nothing: there are too many.
  std::optional<uint16_t> number_of(const std::string& name);
  std::string name_of(uint16_t number) const;

 private:
  // tidy(pure-protocol): the logins of all workers share the numbers
  mutable std::mutex mutex_;
  std::vector<std::string> names_;
};

struct LoginShape {
  Version version = Version::V74;
  uint8_t flags1 = kUseDatabaseNotice | kDatabaseMustExist | kSetLanguageNotice;
  uint8_t flags2 = kLanguageMustExist | kOdbc;
  uint8_t type_flags = 0;
  uint8_t flags3 = kUnknownCollations;
  bool utf8 = false;      // it can read it: the one feature that weir passes on
  uint16_t language = 0;  // in Languages; 0: the server's own

  // 0 is the shape that most drivers have: of a server that is opened for nobody in particular.
  uint64_t number() const;
  bool operator==(const LoginShape&) const = default;
};
LoginShape shape_of(uint64_t number);
// Nothing: its language is one too many.
std::optional<LoginShape> shape_of(const Login7& login, Languages& languages);

}  // namespace weir::tds
