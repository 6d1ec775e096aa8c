// numeric in its binary form: digits to the base 10000 (PostgreSQL's
// src/backend/utils/adt/numeric.c, numeric_send). Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <weir/base/bytes.h>

namespace weir::pgserver {

// Decimal text (no exponent) to the binary form. False when it is no number.
bool append_numeric(std::string& out, std::string_view text);
std::optional<std::string> read_numeric_binary(base::Bytes raw);

// A decimal text without an exponent.
std::string plain_decimal(double value);
// `text` with exactly `scale` digits behind the point, rounded half away from zero.
std::string with_scale(std::string_view text, int scale);

}  // namespace weir::pgserver
