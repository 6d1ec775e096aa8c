// A password or a verifier. Whatever prints it, prints ***; only reveal() gives it away. A value.
#pragma once

#include <fmt/format.h>

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace weir::config {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

 private:
  std::string text_;
};

}  // namespace weir::config

template <>
struct fmt::formatter<weir::config::Secret> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const weir::config::Secret&, Context& context) const {
    return fmt::formatter<std::string_view>::format("***", context);
  }
};
