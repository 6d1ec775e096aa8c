// The few primitives that logins need, over OpenSSL's libcrypto. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::base {

std::string random_bytes(size_t count);  // from a cryptographically secure generator
uint32_t random_u32();
uint64_t random_u64();

std::string md5_hex(std::string_view data);
std::string sha256(std::string_view data);
std::string hmac_sha256(std::string_view key, std::string_view data);
std::string pbkdf2_sha256(std::string_view password, std::string_view salt, int iterations);

std::string base64_encode(std::string_view data);
// False when `text` is not base64.
bool base64_decode(std::string_view text, std::string& out);

bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace weir::base
