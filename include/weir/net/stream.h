// An ordered two-way byte flow: TCP, unix socket, in-process pipe, TLS around any of them.
// Owned by whoever talks over it (a session, a server, a conversation); used on one worker's
// thread at a time.
// Destroying a stream closes it; no callback arrives after that.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <weir/base/bytes.h>
#include <weir/base/result.h>
#include <weir/base/time.h>

namespace weir::net {

class Loop;

// Receives what a stream delivers. Not owned by the stream; outlives it or is replaced before
// it dies.
class StreamReader {
 public:
  virtual void on_bytes(base::Bytes bytes) = 0;  // valid during the call only
  virtual void on_end(
      const base::Error& why) = 0;  // once: nothing more will come; empty text: orderly end
  virtual void on_writable() = 0;   // after want_writable(), once

 protected:
  ~StreamReader() = default;
};

// Why a stream is not read. It is read while no reason is set.
enum Pause : uint8_t {
  kPausePeerFull = 1,  // the other side has not taken what came before
  kPauseParked = 2,    // enough is kept of a client that waits for a server
  kPauseUnread = 8,    // it has not taken the answers that came before
  kPauseBusy = 4,      // a conversation of weir's own with the other side goes first
};

// What a TLS handshake has shown.
struct TlsFacts {
  std::string version;  // "TLSv1.3"
  std::string cipher;
  std::string alpn;  // chosen; empty: none
  // Common name of the peer's certificate; absent: it has shown none that was verified.
  std::optional<std::string> peer_name;
  std::string server_end_point;  // hash of the server's certificate (RFC 5929, 4.1)
};

class Stream {
 public:
  virtual ~Stream() = default;

  virtual void set_reader(StreamReader* reader) = 0;

  // Takes what it can now and says how many bytes; -1 when the stream is broken (on_end may
  // still follow).
  // Never delivers to any reader before it returns.
  virtual int64_t try_write(std::span<const iovec> pieces) = 0;
  virtual void want_writable() = 0;

  // Cheap: the poll mask changes only if bytes arrive while a reason is set.
  virtual void pause(Pause why) = 0;
  virtual void resume(Pause why) = 0;

  virtual void shut_write() = 0;  // says that nothing more will be written; reading goes on

  // A look at an idle stream, which costs a system call: false when its end or anything else
  // has already arrived.
  virtual bool is_alive() { return true; }

  // To another worker: leave() on the old one's thread, then join() on the new one's. Only at rest.
  virtual void leave() = 0;
  virtual void join(Loop& loop) = 0;

  // What is sent is at its other end within kNear, and it costs a system call to know.
  static constexpr base::Duration kNear = base::kMillisecond / 10;
  virtual bool is_near() const { return false; }

  virtual const TlsFacts* tls() const { return nullptr; }  // null: in clear

  virtual std::string peer() const = 0;  // for people: address:port, unix:, pipe:
  // A balancer in front has said who is there.
  virtual void set_peer(std::string) {}
  // The account of the process at the other end of a unix socket.
  virtual std::optional<uint32_t> peer_account() const { return std::nullopt; }
};

}  // namespace weir::net
