#include "shape.h"

#include <algorithm>

namespace weir::tds {

namespace {

// The bits that say more than how the client writes its login. That USE is told of is always asked
// for: weir has to know.
constexpr uint8_t kFlags1 = kDatabaseMustExist | kSetLanguageNotice;
constexpr uint8_t kFlags2 = kLanguageMustExist | kOdbc | kUserTypeMask;
constexpr uint8_t kTypeFlags = kReadOnlyIntent | 0x0f;
constexpr uint8_t kFlags3 = kUnknownCollations;

uint64_t packed(const LoginShape& shape) {
  return static_cast<uint64_t>(shape.version) | static_cast<uint64_t>(shape.utf8) << 4 |
         static_cast<uint64_t>(shape.flags1) << 8 | static_cast<uint64_t>(shape.flags2) << 16 |
         static_cast<uint64_t>(shape.type_flags) << 24 | static_cast<uint64_t>(shape.flags3) << 32 |
         static_cast<uint64_t>(shape.language) << 40;
}

}  // namespace

std::optional<uint16_t> Languages::number_of(const std::string& name) {
  if (name.empty()) return 0;
  const std::lock_guard lock(mutex_);
  auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) {
    if (names_.size() == kMost) return std::nullopt;
    found = names_.insert(names_.end(), name);
  }
  return static_cast<uint16_t>(found - names_.begin() + 1);
}

std::string Languages::name_of(uint16_t number) const {
  const std::lock_guard lock(mutex_);
  return number == 0 || number > names_.size() ? std::string() : names_[number - 1u];
}

uint64_t LoginShape::number() const { return packed(*this) ^ packed(LoginShape()); }

LoginShape shape_of(uint64_t number) {
  const uint64_t bits = number ^ packed(LoginShape());
  const auto byte = [bits](int shift) { return static_cast<uint8_t>(bits >> shift); };
  LoginShape shape;
  shape.version = static_cast<Version>(bits & 0x0f);
  shape.utf8 = (bits >> 4 & 1) != 0;
  shape.flags1 = byte(8);
  shape.flags2 = byte(16);
  shape.type_flags = byte(24);
  shape.flags3 = byte(32);
  shape.language = static_cast<uint16_t>(bits >> 40);
  return shape;
}

std::optional<LoginShape> shape_of(const Login7& login, Languages& languages) {
  const auto language = languages.number_of(login.language);
  if (!language) return std::nullopt;
  LoginShape shape;
  shape.version = login.version;
  shape.flags1 = (login.flags1 & kFlags1) | kUseDatabaseNotice;
  shape.flags2 = login.flags2 & kFlags2;
  shape.type_flags = login.type_flags & kTypeFlags;
  shape.flags3 = login.flags3 & kFlags3;
  shape.utf8 = login.feature(FeatureId::Utf8) != nullptr;
  shape.language = *language;
  return shape;
}

}  // namespace weir::tds
