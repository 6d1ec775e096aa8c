// Bytes as they come off a wire: views, big-endian integers, and a list of pieces to be sent
// together.
// Values without behaviour of their own; nothing here allocates except Gather's arena, which is
// reused.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::base {

using Bytes = std::string_view;

inline uint16_t load_be16(const char* p) {
  const auto* u = reinterpret_cast<const unsigned char*>(p);
  return static_cast<uint16_t>(u[0] << 8 | u[1]);
}

inline uint32_t load_be32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}

inline void store_be32(char* p, uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, 4);
}

inline void append_be16(std::string& out, uint16_t v) {
  out.push_back(static_cast<char>(v >> 8));
  out.push_back(static_cast<char>(v));
}

inline void append_be32(std::string& out, uint32_t v) {
  char b[4];
  store_be32(b, v);
  out.append(b, 4);
}

inline void append_be64(std::string& out, uint64_t v) {
  append_be32(out, static_cast<uint32_t>(v >> 32));
  append_be32(out, static_cast<uint32_t>(v));
}

inline uint64_t load_be64(const char* p) {
  return static_cast<uint64_t>(load_be32(p)) << 32 | load_be32(p + 4);
}

}  // namespace weir::base
