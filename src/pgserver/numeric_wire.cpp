#include "numeric_wire.h"

#include <charconv>
#include <vector>

namespace weir::pgserver {

namespace {

constexpr uint16_t kNegative = 0x4000;
constexpr uint16_t kNan = 0xc000;
constexpr int kWeightMax = 250;     // a thousand digits before the point
constexpr size_t kScaleMax = 1000;  // and behind it

struct Decimal {
  bool negative = false;
  std::string whole;
  std::string fraction;
};

std::optional<Decimal> read_decimal(std::string_view text) {
  Decimal decimal;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    decimal.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const size_t point = std::min(text.find('.'), text.size());
  decimal.whole = std::string(text.substr(0, point));
  if (point < text.size()) decimal.fraction = std::string(text.substr(point + 1));
  const std::string all = decimal.whole + decimal.fraction;
  if (all.empty() || all.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  decimal.whole.erase(0, std::min(decimal.whole.find_first_not_of('0'), decimal.whole.size()));
  return decimal;
}

std::string joined(bool negative, const std::string& whole, const std::string& fraction) {
  std::string text;
  if (negative) text.push_back('-');
  text += whole;
  if (!fraction.empty()) text.push_back('.');
  text += fraction;
  return text;
}

}  // namespace

bool append_numeric(std::string& out, std::string_view text) {
  const auto append = [&](size_t count, int weight, uint16_t sign, size_t scale) {
    base::append_be16(out, static_cast<uint16_t>(count));
    base::append_be16(out, static_cast<uint16_t>(weight));
    base::append_be16(out, sign);
    base::append_be16(out, static_cast<uint16_t>(scale));
  };
  if (text == "NaN") return append(0, 0, kNan, 0), true;
  auto decimal = read_decimal(text);
  if (!decimal || decimal->whole.size() + decimal->fraction.size() > 16000) return false;
  const size_t scale = decimal->fraction.size();
  decimal->whole.insert(0, (4 - decimal->whole.size() % 4) % 4, '0');
  decimal->fraction.append((4 - scale % 4) % 4, '0');
  const std::string all = decimal->whole + decimal->fraction;
  std::vector<uint16_t> digits;
  for (size_t i = 0; i < all.size(); i += 4)
    digits.push_back(static_cast<uint16_t>((all[i] - '0') * 1000 + (all[i + 1] - '0') * 100 +
                                           (all[i + 2] - '0') * 10 + (all[i + 3] - '0')));
  int weight = static_cast<int>(decimal->whole.size() / 4) - 1;
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
  while (!digits.empty() && digits.front() == 0) {
    digits.erase(digits.begin());
    --weight;
  }
  if (digits.empty()) weight = 0;
  append(digits.size(), weight, decimal->negative && !digits.empty() ? kNegative : 0, scale);
  for (const uint16_t digit : digits) base::append_be16(out, digit);
  return true;
}

std::optional<std::string> read_numeric_binary(base::Bytes raw) {
  if (raw.size() < 8) return std::nullopt;
  const size_t count = base::load_be16(raw.data());
  const auto weight = static_cast<int16_t>(base::load_be16(raw.data() + 2));
  const uint16_t sign = base::load_be16(raw.data() + 4);
  const size_t scale = base::load_be16(raw.data() + 6);
  if (sign == kNan) return "NaN";
  if ((sign != 0 && sign != kNegative) || raw.size() != 8 + 2 * count || scale > kScaleMax ||
      weight > kWeightMax)
    return std::nullopt;
  const auto digit = [&](int i) -> uint16_t {
    return i >= 0 && static_cast<size_t>(i) < count ? base::load_be16(raw.data() + 8 + 2 * i) : 0;
  };
  for (size_t i = 0; i < count; ++i)
    if (digit(static_cast<int>(i)) > 9999) return std::nullopt;
  const auto four = [](uint16_t value) {
    std::string text = std::to_string(value);
    return std::string(4 - text.size(), '0') + text;
  };
  std::string whole;
  for (int i = 0; i <= weight; ++i) whole += four(digit(i));
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  if (whole.empty()) whole.push_back('0');
  std::string fraction;
  for (int i = weight + 1; fraction.size() < scale; ++i) fraction += four(digit(i));
  fraction.resize(scale);
  return joined(sign == kNegative, whole, fraction);
}

std::string plain_decimal(double value) {
  char buffer[400];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  if (end.ec != std::errc()) return "NaN";
  return std::string(buffer, static_cast<size_t>(end.ptr - buffer));
}

std::string with_scale(std::string_view text, int scale) {
  const auto decimal = read_decimal(text);
  if (!decimal || scale < 0) return std::string(text);
  std::string digits = "0" + decimal->whole + decimal->fraction;
  const auto wanted = static_cast<size_t>(scale);
  const size_t have = decimal->fraction.size();
  if (have > wanted) {
    const bool up = digits[digits.size() - have + wanted] >= '5';
    digits.resize(digits.size() - have + wanted);
    for (size_t i = digits.size(); up && i-- > 0;) {
      if (digits[i] != '9') {
        ++digits[i];
        break;
      }
      digits[i] = '0';
    }
  } else {
    digits.append(wanted - have, '0');
  }
  std::string whole = digits.substr(0, digits.size() - wanted);
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size() - 1));
  if (whole.empty()) whole.push_back('0');
  const bool zero = digits.find_first_not_of('0') == std::string::npos;
  return joined(decimal->negative && !zero, whole, digits.substr(digits.size() - wanted));
}

}  // namespace weir::pgserver
