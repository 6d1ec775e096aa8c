// PRELOGIN, the first message of both sides, and what they agree on about encryption (MS-TDS
// 2.2.6.5). Body of the message only; the server's comes in a message of type Reply.
//
//   token u8 | offset u16 | length u16   ...   0xff   the options' data            big-endian
//
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wire.h"

namespace weir::tds {

enum class Encryption : uint8_t { Off = 0, On = 1, NotSupported = 2, Required = 3 };
constexpr uint8_t kClientCertificate = 0x80;  // added to a client's byte

// An option that is absent, or of no length, is not set. Views look into the message.
struct Prelogin {
  struct Release {
    uint32_t version = 0;  // as the bytes stand: 0x0c0007d0 is 12.0.2000
    uint16_t sub_build = 0;
    bool operator==(const Release&) const = default;
  };
  std::optional<Release> release = {};
  std::optional<uint8_t> encryption = {};  // an Encryption, perhaps with kClientCertificate
  std::optional<Bytes> instance =
      {};  // of a client: a name; of a server: empty means it is the one
  std::optional<uint32_t> thread_id = {};
  std::optional<bool> mars = {};
  Bytes trace_id = {};  // 36 bytes
  std::optional<bool> federated_login = {};
  Bytes nonce = {};  // 32 bytes
};

// Refuses (Protocol) what lies outside of the message, what has another length than it has to
// have, an option that is told twice, and a table without an end. Options that are unknown, data in
// any order, and data that overlap are taken.
Result<Prelogin> read_prelogin(Bytes body);
// The options that are set. `empty_thread_id`: as servers do, with a length of 0.
void append_prelogin(std::string& out, const Prelogin& prelogin, bool empty_thread_id = false);

// ---------------------------------------------------------------- encryption

// What follows the two PRELOGINs.
enum class Cover : uint8_t {
  None,
  Login,   // TLS until LOGIN7 has passed, then clear again
  All,     // TLS from now on
  Refuse,  // the client's byte and this listener, or server, do not go together
};

// How a listener stands: without TLS; for the login, as most clients want it; for everything unless
// a client has none; for everything; or TLS around everything, PRELOGIN included (TDS 8.0).
enum class ListenerTls : uint8_t { Disable, Login, Prefer, Require, Strict };

struct Agreement {
  uint8_t answer = 0;  // the server's byte; sent also when the client is refused
  Cover cover = Cover::None;
};
// A client's byte; nothing: it has sent none. Strict: PRELOGIN has come through TLS already, and
// the option counts no more (the answer is the client's own).
Agreement agree_as_server(std::optional<uint8_t> client, ListenerTls listener);

// How weir logs in to a server.
enum class ServerTls : uint8_t { None, Login, Require, Strict };
uint8_t encryption_to_ask_for(ServerTls tls);
// A server's byte. Login: what is not the password may go in clear, and if the server has no TLS
// everything does; so whoever must not do that has to use Require.
Cover agree_as_client(ServerTls tls, std::optional<uint8_t> server);

}  // namespace weir::tds
