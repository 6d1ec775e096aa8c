// A stream that encrypts what goes through another one. OpenSSL reads and writes by a BIO of our
// own: what was received is given to it where it lies, and what it makes goes to the inner stream
// at once; only what either side cannot take just then is kept.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "tls_context.h"

namespace weir::net {

class TlsStream final : public Stream, private StreamReader {
 public:
  enum class Side : uint8_t { Client, Server };

  TlsStream(Loop& loop, std::unique_ptr<Stream> inner, TlsContextPtr context, Side side);
  ~TlsStream() override;
  void expect_name(const std::string& name);           // of the server
  void use(std::shared_ptr<base::Envelope> envelope);  // before the handshake
  void shake_hands(base::Bytes received, TlsShaken done);
  std::unique_ptr<Stream> stop(std::string& received);  // it is of no use afterwards

  void set_reader(StreamReader* reader) override;
  int64_t try_write(std::span<const iovec> pieces) override;
  void want_writable() override;
  void pause(Pause why) override;
  void resume(Pause why) override;
  void shut_write() override;
  bool is_alive() override { return kept_.empty() && inner_->is_alive(); }
  void leave() override;
  void join(Loop& loop) override;
  bool is_near() const override { return inner_->is_near(); }
  std::string peer() const override { return inner_->peer(); }
  void set_peer(std::string peer) override { inner_->set_peer(std::move(peer)); }
  std::optional<uint32_t> peer_account() const override { return inner_->peer_account(); }
  const TlsFacts* tls() const override { return &facts_; }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  struct Bio;  // OpenSSL's side of it (tls_stream.cpp)

  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error& why) override;
  void on_writable() override;

  void work();  // with what has come
  void open_envelopes(base::Bytes bytes);
  void shake();
  void deliver();
  void end(const base::Error& why);
  bool flush();  // false: the inner stream is broken
  void work_soon();
  std::string why_not_verified() const;
  void learn_facts();

  Loop* loop_;  // null between leave() and join()
  std::unique_ptr<Stream> inner_;
  TlsContextPtr context_;  // outlives its reload
  std::unique_ptr<SSL, Free> ssl_;
  const Side side_;
  std::string server_name_;
  TlsFacts facts_;
  StreamReader* reader_ = nullptr;
  TlsShaken shaken_;                          // while the handshake lasts
  base::Bytes coming_;                        // what was received just now and not read by OpenSSL
  std::string kept_;                          // the same of earlier deliveries
  std::shared_ptr<base::Envelope> envelope_;  // while the handshake lasts
  std::string enveloped_;                     // what has come and was not opened yet
  std::string rest_;  // of what OpenSSL has made, that the inner stream did not take
  std::shared_ptr<TlsStream*> self_;  // for a call that is still to come
  bool* gone_ = nullptr;              // set when this is destroyed in a callback
  uint8_t paused_ = 0;
  bool wants_writable_ = false;
  bool broken_ = false;
  bool ended_ = false;
};

}  // namespace weir::net
