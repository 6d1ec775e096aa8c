// Result<T>: a value or an Error. For everything that can fail in operation; our own bugs are
// asserts.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace weir::base {

enum class ErrorKind {
  Protocol,     // the peer broke its protocol
  TooLarge,     // a limit was reached
  Unreachable,  // no connection could be made, or it was lost
  Refused,      // the peer said no (wrong password, no such database)
  Timeout,      // a deadline passed
  Config,       // a configuration or command line that cannot be used
  System,       // the operating system said no
  Cancelled,    // somebody asked for it to stop
};

// The kind is for code, the text for people, the code is the protocol's own (an SQLSTATE) when
// there is one.
struct Error {
  ErrorKind kind = ErrorKind::System;
  std::string text;
  std::string code = {};
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  explicit operator bool() const { return state_.index() == 0; }
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Nothing {};
using Status = Result<Nothing>;
inline Status ok() { return Nothing{}; }

}  // namespace weir::base
