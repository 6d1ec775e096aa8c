// Versions of the protocol that weir speaks: 7.1 (SQL Server 2000) to 8.0 (2022). What differs
// between them. MS-TDS 2.2.6.4 "LOGIN7" (TDSVersion) and 2.2.7.14 "LOGINACK".
#pragma once

#include <cstdint>
#include <optional>

namespace weir::tds {

// In this order: a later one can do what an earlier one can.
enum class Version : uint8_t { V71, V72, V73A, V73B, V74, V80 };

constexpr uint32_t wire_value(Version version) {
  switch (version) {
    case Version::V71: return 0x71000001;
    case Version::V72: return 0x72090002;
    case Version::V73A: return 0x730a0003;
    case Version::V73B: return 0x730b0003;
    case Version::V74: return 0x74000004;
    case Version::V80: return 0x08000000;
  }
  return 0;
}

// Of a number in LOGIN7 or LOGINACK; nothing: a version that weir does not speak.
constexpr std::optional<Version> version_of(uint32_t wire) {
  switch (wire) {
    // The first SQL Server 2000 and its service pack 1; some servers say it the short way.
    case 0x71000000:
    case 0x71000001:
    case 0x07010000: return Version::V71;
    case 0x72090002: return Version::V72;
    case 0x730a0003: return Version::V73A;
    case 0x730b0003: return Version::V73B;
    case 0x74000004: return Version::V74;
    case 0x08000000: return Version::V80;
    default: return std::nullopt;
  }
}

// ALL_HEADERS before requests, 32-bit user types and line numbers, row counts of 64 bits.
constexpr bool is_since_72(Version version) { return version >= Version::V72; }

}  // namespace weir::tds
