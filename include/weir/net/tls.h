// TLS around a stream, by OpenSSL 3. A context holds certificates and rules and is shared by all
// connections of a listener or a database.
//
// Records of at most 8 KiB are sent: libpq reads a record at a time and may wait for what it has
// already received of a longer one. Nothing is renegotiated, no session is resumed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/envelope.h>
#include <weir/base/result.h>
#include <weir/net/loop.h>

namespace weir::net {

// Certificates and rules, read once. Immutable; any thread.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
};
using TlsContextPtr = std::shared_ptr<const TlsContext>;

// Files are in PEM. Versions are "1.0" to "1.3", ciphers as OpenSSL writes them for TLS 1.2 and
// below; empty: OpenSSL's own.
struct TlsServerOptions {
  std::string cert, key;
  std::string ca;  // of clients' certificates, which are asked for when it is set
  std::string min_version = "1.2";
  std::string ciphers;
  std::vector<std::string> alpn;  // a client that offers others only is refused
};
struct TlsClientOptions {
  std::string cert, key;       // what weir shows, when the server asks
  std::string ca;              // empty: those of the machine
  bool verifies = false;       // the server's certificate comes from one of them
  bool verifies_name = false;  // and is for the name that was dialled
  std::string min_version = "1.2";
  std::string ciphers;
  std::vector<std::string> alpn;
};
// Errors name the file and say what is wrong with it.
base::Result<TlsContextPtr> make_tls_server(const TlsServerOptions& options);
base::Result<TlsContextPtr> make_tls_client(const TlsClientOptions& options);

// The handshake's end: once, on the loop's thread, never from inside these calls; may destroy the
// stream. No deadline of its own: the owner sets one, and destroys the stream.
using TlsShaken = std::function<void(base::Status)>;

// Which side weir is, and what it goes by.
struct TlsAccept {
  TlsContextPtr context;
  base::Bytes received;  // of the client's half, before
  // Carries the handshake, which then is one of TLS 1.2 at most: it ends with a message of each
  // side, and nothing that belongs to it comes later. Null: records go as they are.
  std::shared_ptr<base::Envelope> envelope = nullptr;
};
struct TlsConnect {
  TlsContextPtr context;
  std::string server_name;  // sent along when it is a name (SNI); verified when the context says so
  std::shared_ptr<base::Envelope> envelope = nullptr;  // as above
};

// Takes the stream over. Until the handshake is over the new one delivers nothing and takes
// nothing; then tls() says what it has shown of the peer.
std::unique_ptr<Stream> start_tls(Loop& loop, std::unique_ptr<Stream> stream, const TlsAccept& as,
                                  TlsShaken shaken);
std::unique_ptr<Stream> start_tls(Loop& loop, std::unique_ptr<Stream> stream, const TlsConnect& as,
                                  TlsShaken shaken);

// The stream below `tls`, in clear from here on without a word to the peer, who does the same;
// `received` has come behind the last record. May be called from within the stream's delivery.
// Null: something is on its way in either direction that only TLS could read. `tls` is of no use
// afterwards.
std::unique_ptr<Stream> stop_tls(Stream& tls, std::string& received);

}  // namespace weir::net
