#include "tls_context.h"

#include <openssl/err.h>

#include <fmt/format.h>

namespace weir::net {

namespace {

using base::Error;
using base::ErrorKind;

constexpr size_t kRecordBytesMax = 8192;

Error bad(std::string text) { return {ErrorKind::Config, std::move(text)}; }

Error bad_file(const std::string& path, const char* what) {
  return bad(fmt::format("{}: {}: {}", path, what, tls_error("cannot be read")));
}

int version_number(const std::string& text) {
  if (text == "1.0") return TLS1_VERSION;
  if (text == "1.1") return TLS1_1_VERSION;
  if (text == "1.3") return TLS1_3_VERSION;
  return text == "1.2" ? TLS1_2_VERSION : 0;
}

template <class Options>
base::Status set_rules(OpenTls& tls, const Options& options) {
  SSL_CTX* context = tls.ssl.get();
  const int version = version_number(options.min_version);
  if (version == 0 || !SSL_CTX_set_min_proto_version(context, version))
    return bad("no such version of TLS: " + options.min_version);
  if (!options.ciphers.empty() && !SSL_CTX_set_cipher_list(context, options.ciphers.c_str()))
    return bad("no cipher of these is known: " + options.ciphers);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_max_send_fragment(context, kRecordBytesMax);
  for (const std::string& name : options.alpn) {
    tls.alpn.push_back(static_cast<char>(name.size()));
    tls.alpn += name;
  }
  return base::ok();
}

base::Status use_certificate(SSL_CTX* context, const std::string& cert, const std::string& key) {
  if (SSL_CTX_use_certificate_chain_file(context, cert.c_str()) != 1)
    return bad_file(cert, "no certificate");
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return bad_file(key, "no key of this certificate");
  if (SSL_CTX_check_private_key(context) != 1) return bad_file(key, "not the certificate's key");
  return base::ok();
}

base::Status trust(SSL_CTX* context, const std::string& ca) {
  if (SSL_CTX_load_verify_locations(context, ca.c_str(), nullptr) != 1)
    return bad_file(ca, "no certificates to trust");
  return base::ok();
}

// A client that offers protocols by ALPN wants one of them (RFC 7301, 3.2).
constexpr SSL_CTX_alpn_select_cb_func kChooseProtocol = [](SSL*, const unsigned char** chosen,
                                                           unsigned char* size,
                                                           const unsigned char* offered,
                                                           unsigned offered_size, void* own) {
  const auto* tls = static_cast<const OpenTls*>(own);
  unsigned char* found = nullptr;
  const int status =
      SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(tls->alpn.data()),
                            static_cast<unsigned>(tls->alpn.size()), offered, offered_size);
  *chosen = found;
  return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
};

// A key with a password cannot be asked for it.
int no_password(char*, int, int, void*) { return 0; }

std::shared_ptr<OpenTls> open(const SSL_METHOD* method) {
  ERR_clear_error();
  auto tls = std::make_shared<OpenTls>();
  tls->ssl.reset(SSL_CTX_new(method));
  if (tls->ssl) SSL_CTX_set_default_passwd_cb(tls->ssl.get(), no_password);
  return tls;
}

}  // namespace

std::string tls_error(const char* otherwise) {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  if (first == 0) return otherwise;
  if (ERR_SYSTEM_ERROR(first)) return std::strerror(ERR_GET_REASON(first));
  const char* reason = ERR_reason_error_string(first);
  return reason ? reason : otherwise;
}

base::Result<TlsContextPtr> make_tls_server(const TlsServerOptions& options) {
  auto tls = open(TLS_server_method());
  if (!tls->ssl) return bad(tls_error("OpenSSL does not start"));
  SSL_CTX* context = tls->ssl.get();
  if (auto set = set_rules(*tls, options); !set) return set.error();
  if (auto used = use_certificate(context, options.cert, options.key); !used) return used.error();
  if (!options.ca.empty()) {
    if (auto trusted = trust(context, options.ca); !trusted) return trusted.error();
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.ca.c_str()));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);  // without one the handshake goes on
  }
  if (!tls->alpn.empty()) SSL_CTX_set_alpn_select_cb(context, kChooseProtocol, tls.get());
  return TlsContextPtr(tls);
}

base::Result<TlsContextPtr> make_tls_client(const TlsClientOptions& options) {
  auto tls = open(TLS_client_method());
  if (!tls->ssl) return bad(tls_error("OpenSSL does not start"));
  SSL_CTX* context = tls->ssl.get();
  if (auto set = set_rules(*tls, options); !set) return set.error();
  if (!options.cert.empty())
    if (auto used = use_certificate(context, options.cert, options.key); !used) return used.error();
  if (!options.ca.empty()) {
    if (auto trusted = trust(context, options.ca); !trusted) return trusted.error();
  } else if (options.verifies) {
    SSL_CTX_set_default_verify_paths(context);
  }
  SSL_CTX_set_verify(context, options.verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  tls->verifies_name = options.verifies_name;
  if (!tls->alpn.empty())
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(tls->alpn.data()),
                            static_cast<unsigned>(tls->alpn.size()));
  return TlsContextPtr(tls);
}

}  // namespace weir::net
