// The messages of PostgreSQL's protocol that only weir's own dialogues and its link send: a
// client's messages towards a server. What servers send is public, in <weir/protocol/postgres.h>.
// Pure functions that append to a string; any thread.
// Layouts: PostgreSQL's manual, 55.7 "Message Formats".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/protocol/postgres.h>

namespace weir::postgres {

using base::Bytes;

constexpr uint32_t kVersion30 = 3 << 16;
constexpr uint32_t kVersion32 = kVersion30 + 2;  // since PostgreSQL 18
constexpr uint32_t kCancelCode = 80877102;
constexpr uint32_t kSslCode = 80877103;
constexpr uint32_t kGssCode = 80877104;

constexpr size_t kCancelKeyBytesMax = 256;
constexpr size_t kOldCancelKeyBytes = 4;  // before version 3.2

using SettingList = std::vector<std::pair<std::string, std::string>>;

// Names and values in this order; the caller puts user and database among them.
void append_startup(std::string& out, const SettingList& parameters, uint32_t version = kVersion30);
void append_ssl_request(std::string& out);
void append_cancel_request(std::string& out, uint32_t process_id, Bytes key);
void append_password(std::string& out, std::string_view password);
void append_sasl_initial(std::string& out, std::string_view mechanism, Bytes data);
void append_sasl_response(std::string& out, Bytes data);
void append_query(std::string& out, std::string_view text);
void append_sync(std::string& out);
void append_terminate(std::string& out);
void append_negotiate(std::string& out, uint32_t version,
                      const std::vector<std::string>& unknown_options);

// The last words to a client.
void append_fatal(std::string& out, const base::Error& error);

// The process id that the client of this session is told, never 0.
uint32_t client_process_id(uint64_t session_id);

std::string lower_case(std::string_view text);  // ASCII only
bool is_utf8(Bytes text);

}  // namespace weir::postgres
