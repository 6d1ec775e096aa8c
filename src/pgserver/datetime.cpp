// Dates in the proleptic Gregorian calendar, as PostgreSQL has them (manual, appendix B).
#include <weir/pgserver/types.h>

#include <chrono>
#include <cstdio>

namespace weir::pgserver {

namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kDaysTo2000 = 10957;  // from 1970-01-01
constexpr int64_t kYearMax = 9999;      // what sorts as text

int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct Civil {
  int64_t year, month, day;
};

Civil civil_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t of_era = days - era * 146097;
  const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const int64_t shifted = (5 * of_year + 2) / 153;
  const int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {year + era * 400 + (month <= 2 ? 1 : 0), month, of_year - (153 * shifted + 2) / 5 + 1};
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  bool at_end() const { return i_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[i_]; }
  bool take(char c) {
    if (peek() != c || at_end()) return false;
    ++i_;
    return true;
  }
  void skip_blanks() {
    while (take(' ')) {
    }
  }
  // Between `least` and `most` digits; -1 when there are fewer.
  int64_t digits(int least, int most) {
    int64_t value = 0;
    int count = 0;
    for (; count < most && peek() >= '0' && peek() <= '9'; ++count)
      value = value * 10 + (text_[i_++] - '0');
    return count < least ? -1 : value;
  }
  std::string_view rest() const { return text_.substr(i_); }

 private:
  std::string_view text_;
  size_t i_ = 0;
};

bool read_date(Reader& in, int64_t& days) {
  const int64_t year = in.digits(4, 4);
  if (year < 1 || !in.take('-')) return false;
  const int64_t month = in.digits(1, 2);
  if (month < 1 || month > 12 || !in.take('-')) return false;
  const int64_t day = in.digits(1, 2);
  if (day < 1 || day > 31) return false;
  days = days_from_civil(year, month, day);
  return civil_from_days(days).day == day;  // 30 February would come back as another day
}

bool read_clock(Reader& in, int64_t& micros) {
  const int64_t hour = in.digits(1, 2);
  if (hour < 0 || hour > 24 || !in.take(':')) return false;
  const int64_t minute = in.digits(2, 2);
  if (minute < 0 || minute > 59) return false;
  int64_t second = 0;
  int64_t fraction = 0;
  if (in.take(':')) {
    second = in.digits(2, 2);
    if (second < 0 || second > 60) return false;
    if (in.take('.')) {
      int64_t unit = 100'000;
      for (int64_t digit; (digit = in.digits(1, 1)) >= 0; unit /= 10) fraction += digit * unit;
    }
  }
  micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + fraction;
  return micros <= kMicrosPerDay;
}

// Z, UTC, +hh, +hhmm, +hh:mm[:ss], or nothing.
bool read_zone(Reader& in, int64_t& seconds) {
  seconds = 0;
  in.skip_blanks();
  if (in.at_end()) return true;
  const std::string_view rest = in.rest();
  if (rest == "Z" || rest == "z" || rest == "UTC" || rest == "utc") return true;
  const bool minus = in.peek() == '-';
  if (!in.take('-') && !in.take('+')) return false;
  const int64_t hours = in.digits(1, 2);
  in.take(':');
  int64_t minutes = in.digits(2, 2);
  int64_t rest_seconds = in.take(':') ? in.digits(2, 2) : 0;
  minutes = std::max<int64_t>(minutes, 0);
  if (hours < 0 || hours > 15 || minutes > 59 || rest_seconds < 0 || rest_seconds > 59)
    return false;
  seconds = (hours * 60 + minutes) * 60 + rest_seconds;
  if (minus) seconds = -seconds;
  return in.at_end();
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<int64_t> read_timestamp(std::string_view text, bool zoned) {
  Reader in(trimmed(text));
  int64_t days = 0;
  int64_t clock = 0;
  int64_t zone = 0;
  if (!read_date(in, days)) return std::nullopt;
  if (in.peek() == 'T' || in.peek() == 't' || in.peek() == ' ') {
    in.take(in.peek());
    in.skip_blanks();
    if (!read_clock(in, clock)) return std::nullopt;
  }
  if (!read_zone(in, zone)) return std::nullopt;
  const int64_t micros = (days - kDaysTo2000) * kMicrosPerDay + clock;
  return zoned ? micros - zone * kMicrosPerSecond : micros;
}

std::optional<int64_t> read_time(std::string_view text) {
  Reader in(trimmed(text));
  int64_t clock = 0;
  if (!read_clock(in, clock) || !in.at_end()) return std::nullopt;
  return clock;
}

std::string date_text(int64_t micros) {
  const Civil civil = civil_from_days(floor_div(micros, kMicrosPerDay) + kDaysTo2000);
  char buffer[32];
  if (civil.year < 1 || civil.year > kYearMax) return "infinity";
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d", static_cast<int>(civil.year),
                static_cast<int>(civil.month), static_cast<int>(civil.day));
  return buffer;
}

std::string time_text(int64_t micros_of_day) {
  const int64_t seconds = micros_of_day / kMicrosPerSecond;
  const auto fraction = static_cast<int>(micros_of_day % kMicrosPerSecond);
  char buffer[32];
  int length =
      std::snprintf(buffer, sizeof buffer, "%02d:%02d:%02d", static_cast<int>(seconds / 3600),
                    static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  if (fraction != 0) {
    length += std::snprintf(buffer + length, sizeof buffer - static_cast<size_t>(length), ".%06d",
                            fraction);
    while (buffer[length - 1] == '0') --length;
  }
  return std::string(buffer, static_cast<size_t>(length));
}

std::string timestamp_text(int64_t micros) {
  const std::string date = date_text(micros);
  if (date == "infinity") return date;
  return date + ' ' + time_text(micros - floor_div(micros, kMicrosPerDay) * kMicrosPerDay);
}

int64_t timestamp_now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count() -
         kDaysTo2000 * kMicrosPerDay;
}

}  // namespace weir::pgserver
