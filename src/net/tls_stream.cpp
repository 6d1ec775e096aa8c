#include "tls_stream.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

namespace weir::net {

namespace {

using base::Bytes;
using base::Error;
using base::ErrorKind;

constexpr size_t kRecordPlainMax = 16 * 1024;  // of one record ("Record Layer", RFC 8446, 5.1)
constexpr size_t kWriteBytesMax = 64 * 1024;   // taken by one try_write()

// What OpenSSL makes in one call of ours, of all streams of this thread: none keeps a buffer.
std::string& made() {
  thread_local std::string bytes;
  return bytes;
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> place;
  return inet_pton(AF_INET, name.c_str(), place.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), place.data()) == 1;
}

// "tls-server-end-point" (RFC 5929, 4.1): the certificate's own digest, but nothing below SHA-256.
std::string end_point_hash(X509* certificate) {
  if (!certificate) return {};
  int digest = NID_undef;
  OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, nullptr);
  const bool weak = digest == NID_undef || digest == NID_md5 || digest == NID_sha1;
  const EVP_MD* method = weak ? EVP_sha256() : EVP_get_digestbynid(digest);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  if (!method || X509_digest(certificate, method, hash.data(), &size) != 1) return {};
  return {reinterpret_cast<const char*>(hash.data()), size};
}

std::string common_name(X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  // A name with a NUL inside is another one for whoever stops there.
  return name.find('\0') == std::string::npos ? name : std::string();
}

}  // namespace

// ---------------------------------------------------------------- OpenSSL's side

struct TlsStream::Bio {
  static TlsStream& of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    TlsStream& stream = of(bio);
    BIO_clear_retry_flags(bio);
    const size_t count = std::min(stream.coming_.size(), static_cast<size_t>(size));
    if (count == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(into, stream.coming_.data(), count);
    stream.coming_.remove_prefix(count);
    return static_cast<int>(count);
  }
  static int write(BIO*, const char* from, int size) {
    made().append(from, static_cast<size_t>(size));
    return size;
  }
  static long control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;  // the others are for other kinds
  }
  static BIO_METHOD* method() {
    static BIO_METHOD* const only = [] {
      BIO_METHOD* made_once = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
      BIO_meth_set_read(made_once, read);
      BIO_meth_set_write(made_once, write);
      BIO_meth_set_ctrl(made_once, control);
      return made_once;
    }();
    return only;
  }
};

TlsStream::TlsStream(Loop& loop, std::unique_ptr<Stream> inner, TlsContextPtr context, Side side)
    : loop_(&loop), inner_(std::move(inner)), context_(std::move(context)), side_(side) {
  ssl_.reset(SSL_new(static_cast<const OpenTls&>(*context_).ssl.get()));
  BIO* bio = BIO_new(Bio::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  side == Side::Server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

void TlsStream::expect_name(const std::string& name) {
  server_name_ = name;
  const bool address = is_address(name);
  if (!name.empty() && !address) SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
  if (!static_cast<const OpenTls&>(*context_).verifies_name) return;
  if (address)
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str());
  else
    SSL_set1_host(ssl_.get(), name.c_str());
}

TlsStream::~TlsStream() {
  if (gone_) *gone_ = true;
  if (self_) *self_ = nullptr;
  if (shaken_ || broken_ || ended_ || !rest_.empty()) return;
  made().clear();
  SSL_shutdown(ssl_.get());
  flush();
}

// ---------------------------------------------------------------- the handshake

void TlsStream::use(std::shared_ptr<base::Envelope> envelope) {
  envelope_ = std::move(envelope);
  if (envelope_) SSL_set_max_proto_version(ssl_.get(), TLS1_2_VERSION);
}

void TlsStream::shake_hands(Bytes received, TlsShaken done) {
  shaken_ = std::move(done);
  (envelope_ ? enveloped_ : kept_).assign(received);
  inner_->set_reader(this);
  work_soon();
}

void TlsStream::shake() {
  made().clear();
  ERR_clear_error();
  const int status = SSL_do_handshake(ssl_.get());
  const int error = status == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), status);
  const bool sent = flush();  // an alert says why, if it can still be said
  if (error == SSL_ERROR_WANT_READ && sent) return;
  const TlsShaken done = std::exchange(shaken_, nullptr);
  envelope_.reset();
  if (error == SSL_ERROR_NONE && sent) {
    learn_facts();
    inner_->set_reader(reader_ ? this : nullptr);
    if (wants_writable_) inner_->want_writable();
    return done(base::ok());
  }
  broken_ = true;
  const std::string why = error == SSL_ERROR_SSL ? why_not_verified() : "connection lost";
  done(Error{ErrorKind::Refused, "TLS handshake failed: " + why, "08006"});
}

std::string TlsStream::why_not_verified() const {
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified == X509_V_OK) return tls_error("the peer does not speak TLS as it should");
  ERR_clear_error();
  if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
    return "the server's certificate is not for \"" + server_name_ + "\"";
  return std::string("the peer's certificate: ") + X509_verify_cert_error_string(verified);
}

void TlsStream::learn_facts() {
  SSL* ssl = ssl_.get();
  facts_.version = SSL_get_version(ssl);
  facts_.cipher = SSL_get_cipher_name(ssl);
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &chosen, &size);
  if (chosen) facts_.alpn.assign(reinterpret_cast<const char*>(chosen), size);
  X509* of_peer = SSL_get0_peer_certificate(ssl);
  facts_.server_end_point =
      end_point_hash(side_ == Side::Server ? SSL_get_certificate(ssl) : of_peer);
  const bool verified = of_peer && SSL_get_verify_result(ssl) == X509_V_OK &&
                        (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER);
  if (verified) facts_.peer_name = common_name(of_peer);
}

// ---------------------------------------------------------------- receiving

void TlsStream::on_bytes(Bytes bytes) {
  if (envelope_) return open_envelopes(bytes);
  if (kept_.empty()) {
    coming_ = bytes;
    return work();
  }
  kept_.append(bytes);
  work();
}

// One after the other: behind the handshake's last one there are none.
void TlsStream::open_envelopes(Bytes bytes) {
  enveloped_.append(bytes);
  bool gone = false;
  bool* const outer = std::exchange(gone_, &gone);
  do {
    const auto used = envelope_->unwrap(enveloped_, kept_);
    enveloped_.erase(0, used.value_or(0));
    if (!used) {
      broken_ = true;
      const TlsShaken done = std::exchange(shaken_, nullptr);
      envelope_.reset();
      done(Error{ErrorKind::Protocol, "TLS handshake failed: a packet that does not belong to it",
                 "08P01"});
    } else {
      work();  // also without any: the client's side begins
      if (*used == 0) break;
    }
  } while (!gone && envelope_);
  if (!gone && !envelope_ && !broken_ && !enveloped_.empty()) {
    kept_.append(std::exchange(enveloped_, {}));
    work();
  }
  if (!gone)
    gone_ = outer;
  else if (outer)
    *outer = true;
}

// Whatever OpenSSL does not read now is kept until it is asked again.
void TlsStream::work() {
  std::string before;
  if (!kept_.empty()) {
    before.swap(kept_);
    coming_ = before;
  }
  bool gone = false;
  bool* const outer = std::exchange(gone_, &gone);
  if (shaken_) shake();
  if (!gone && !shaken_ && !broken_) deliver();
  if (gone) {
    if (outer) *outer = true;
    return;
  }
  gone_ = outer;
  kept_.assign(coming_);
  coming_ = {};
}

void TlsStream::deliver() {
  thread_local std::array<char, kRecordPlainMax> plain;
  bool& gone = *gone_;
  while (paused_ == 0 && reader_ && !ended_ && !broken_) {
    made().clear();
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
    const int error = got > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), got);
    if (!made().empty()) flush();
    if (error == SSL_ERROR_WANT_READ) return;
    if (error == SSL_ERROR_ZERO_RETURN) return end({ErrorKind::Unreachable, ""});
    if (error != SSL_ERROR_NONE) {
      broken_ = true;
      return end({ErrorKind::Unreachable, "TLS: " + tls_error("a record that cannot be read")});
    }
    reader_->on_bytes({plain.data(), static_cast<size_t>(got)});
    if (gone) return;
  }
}

void TlsStream::end(const Error& why) {
  if (std::exchange(ended_, true)) return;
  if (reader_) reader_->on_end(why);
}

void TlsStream::on_end(const Error& why) {
  if (const TlsShaken done = std::exchange(shaken_, nullptr)) {
    broken_ = true;
    const std::string text = why.text.empty() ? "connection closed by the peer" : why.text;
    return done(Error{ErrorKind::Unreachable, "TLS handshake failed: " + text, "08006"});
  }
  end(why);
}

void TlsStream::set_reader(StreamReader* reader) {
  reader_ = reader;
  inner_->set_reader(reader_ || shaken_ ? this : nullptr);
  if (reader_) work_soon();
}

void TlsStream::pause(Pause why) {
  paused_ |= static_cast<uint8_t>(why);
  inner_->pause(why);
}

void TlsStream::resume(Pause why) {
  paused_ &= static_cast<uint8_t>(~why);
  inner_->resume(why);
  if (paused_ == 0 && reader_) work_soon();
}

// What is decrypted already makes no socket readable.
void TlsStream::work_soon() {
  if (!loop_ || (kept_.empty() && !SSL_has_pending(ssl_.get()) && !shaken_)) return;
  if (self_) return;
  self_ = std::make_shared<TlsStream*>(this);
  loop_->run_soon([self = self_] {
    if (!*self) return;
    TlsStream& stream = **self;
    stream.self_.reset();
    stream.envelope_ ? stream.open_envelopes({}) : stream.work();
  });
}

// ---------------------------------------------------------------- sending

int64_t TlsStream::try_write(std::span<const iovec> pieces) {
  if (broken_) return -1;
  if (!rest_.empty() || shaken_) return 0;
  thread_local std::string plain;
  plain.clear();
  for (const iovec& piece : pieces) {
    const size_t count = std::min(piece.iov_len, kWriteBytesMax - plain.size());
    plain.append(static_cast<const char*>(piece.iov_base), count);
    if (plain.size() == kWriteBytesMax) break;
  }
  if (plain.empty()) return 0;
  made().clear();
  ERR_clear_error();
  const int taken = SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
  if (taken <= 0 || !flush()) {
    broken_ = true;
    return -1;
  }
  return taken;
}

// What was made goes behind what is left of earlier.
bool TlsStream::flush() {
  if (envelope_ && !made().empty()) {
    std::string packets;
    envelope_->wrap(made(), packets);
    made().swap(packets);
  }
  const bool had_rest = !rest_.empty();
  if (had_rest) rest_.append(made());
  std::string& out = had_rest ? rest_ : made();
  if (out.empty()) return true;
  const iovec piece{out.data(), out.size()};
  const int64_t taken = inner_->try_write({&piece, 1});
  if (taken < 0) {
    broken_ = true;
    return false;
  }
  const auto count = static_cast<size_t>(taken);
  if (count == out.size())
    std::string().swap(rest_);
  else if (had_rest)
    rest_.erase(0, count);
  else
    rest_.assign(made(), count);
  if (!rest_.empty()) inner_->want_writable();
  made().clear();
  return true;
}

void TlsStream::want_writable() {
  wants_writable_ = true;
  inner_->want_writable();
}

void TlsStream::on_writable() {
  if (!rest_.empty()) flush();
  if ((!rest_.empty() || shaken_) && !broken_) return;
  if (std::exchange(wants_writable_, false) && reader_) reader_->on_writable();
}

std::unique_ptr<Stream> TlsStream::stop(std::string& received) {
  const bool is_over =
      !broken_ && !ended_ && !shaken_ && rest_.empty() && !SSL_has_pending(ssl_.get());
  broken_ = true;  // so that nothing is said
  if (!is_over) return nullptr;
  inner_->set_reader(nullptr);
  received.assign(kept_).append(coming_).append(enveloped_);
  return std::move(inner_);
}

void TlsStream::shut_write() {
  if (!broken_ && rest_.empty()) {
    made().clear();
    SSL_shutdown(ssl_.get());
    flush();
  }
  inner_->shut_write();
}

// ---------------------------------------------------------------- moving

void TlsStream::leave() {
  loop_ = nullptr;
  inner_->leave();
}

void TlsStream::join(Loop& loop) {
  loop_ = &loop;
  inner_->join(loop);
  if (reader_) inner_->set_reader(this);
}

// ---------------------------------------------------------------- from outside

std::unique_ptr<Stream> start_tls(Loop& loop, std::unique_ptr<Stream> stream, const TlsAccept& as,
                                  TlsShaken shaken) {
  auto tls =
      std::make_unique<TlsStream>(loop, std::move(stream), as.context, TlsStream::Side::Server);
  tls->use(as.envelope);
  tls->shake_hands(as.received, std::move(shaken));
  return tls;
}

std::unique_ptr<Stream> start_tls(Loop& loop, std::unique_ptr<Stream> stream, const TlsConnect& as,
                                  TlsShaken shaken) {
  auto tls =
      std::make_unique<TlsStream>(loop, std::move(stream), as.context, TlsStream::Side::Client);
  tls->expect_name(as.server_name);
  tls->use(as.envelope);
  tls->shake_hands("", std::move(shaken));
  return tls;
}

std::unique_ptr<Stream> stop_tls(Stream& tls, std::string& received) {
  assert(dynamic_cast<TlsStream*>(&tls));
  return static_cast<TlsStream&>(tls).stop(received);
}

}  // namespace weir::net
