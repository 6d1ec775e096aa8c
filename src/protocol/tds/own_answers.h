// What weir says to a client in a server's place: ERROR tokens and the DONE behind them (MS-TDS
// 2.2.7.10, 2.2.7.6), as whole messages. Pure functions, any thread.
#pragma once

#include <string>

#include "packet.h"
#include "tokens.h"

namespace weir::tds {

// Fatal: the connection ends with it.
enum class Gravity : uint8_t { Request, Fatal };

// SQL Server's own number where it has one for what has happened, else 50000. A server's words are
// told as they are.
ServerMessage message_of(const Error& error, Gravity gravity);
// An answer that is this error.
void append_error_answer(std::string& out, Version version, const ServerMessage& message);
// The acknowledgement of an attention (2.2.1.7).
void append_attention_answer(std::string& out, Version version);

// 18456, which says the same whatever was wrong; behind 4060 when it is the database.
ServerMessage login_failed(std::string_view user);

}  // namespace weir::tds
