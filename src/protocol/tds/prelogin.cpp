#include "prelogin.h"

namespace weir::tds {

namespace {

enum Option : uint8_t {
  kVersion = 0,
  kEncryption = 1,
  kInstance = 2,
  kThreadId = 3,
  kMars = 4,
  kTraceId = 5,
  kFederatedLogin = 6,
  kNonce = 7,
  kKnown = 8,
  kTerminator = 0xff,
};

constexpr size_t kAnyLength = SIZE_MAX;
// By option.
constexpr size_t kLengths[kKnown] = {6, 1, kAnyLength, 4, 1, 36, 1, 32};

Error invalid(const char* what) {
  return {ErrorKind::Protocol, std::string("invalid PRELOGIN: ") + what};
}

void take_option(uint8_t option, Bytes data, Prelogin& prelogin) {
  switch (option) {
    case kVersion:
      prelogin.release = {base::load_be32(data.data()), base::load_be16(data.data() + 4)};
      break;
    case kEncryption: prelogin.encryption = static_cast<uint8_t>(data[0]); break;
    // Ends with a zero; a server says with the first byte whether it is the one.
    case kInstance: prelogin.instance = data.substr(0, data.find('\0')); break;
    case kThreadId: prelogin.thread_id = base::load_be32(data.data()); break;
    case kMars: prelogin.mars = data[0] != 0; break;
    case kTraceId: prelogin.trace_id = data; break;
    case kFederatedLogin: prelogin.federated_login = data[0] != 0; break;
    case kNonce: prelogin.nonce = data; break;
    default: break;
  }
}

class Writer {
 public:
  void add(uint8_t option, Bytes data) {
    append_byte(tokens_, option);
    lengths_.push_back(static_cast<char>(data.size()));
    data_ += data;
  }
  void finish(std::string& out) const {
    size_t at = tokens_.size() * 5 + 1;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const auto length = static_cast<uint8_t>(lengths_[i]);
      out.push_back(tokens_[i]);
      base::append_be16(out, static_cast<uint16_t>(at));
      base::append_be16(out, length);
      at += length;
    }
    append_byte(out, kTerminator);
    out += data_;
  }

 private:
  std::string tokens_, lengths_, data_;
};

std::string byte(unsigned value) { return std::string(1, static_cast<char>(value)); }

}  // namespace

Result<Prelogin> read_prelogin(Bytes body) {
  Prelogin prelogin;
  unsigned seen = 0;
  for (Reader table(body);;) {
    const uint8_t option = table.u8();
    if (!table.ok()) return invalid("the table of options has no end");
    if (option == kTerminator) return prelogin;
    const size_t offset = table.be16();
    const size_t length = table.be16();
    if (!table.ok()) return invalid("the table of options has no end");
    if (length == 0) continue;
    if (offset > body.size() || length > body.size() - offset)
      return invalid("an option lies outside of it");
    if (option >= kKnown) continue;
    if (kLengths[option] != kAnyLength && length != kLengths[option])
      return invalid("an option has a wrong length");
    if ((seen >> option & 1) != 0) return invalid("an option is there twice");
    seen |= 1U << option;
    take_option(option, body.substr(offset, length), prelogin);
  }
}

void append_prelogin(std::string& out, const Prelogin& prelogin, bool empty_thread_id) {
  Writer writer;
  std::string number;
  if (prelogin.release) {
    base::append_be32(number, prelogin.release->version);
    base::append_be16(number, prelogin.release->sub_build);
    writer.add(kVersion, number);
  }
  if (prelogin.encryption) writer.add(kEncryption, byte(*prelogin.encryption));
  if (prelogin.instance)
    writer.add(kInstance, std::string(prelogin.instance->substr(0, 254)) + '\0');
  if (prelogin.thread_id) {
    number.clear();
    base::append_be32(number, *prelogin.thread_id);
    writer.add(kThreadId, number);
  } else if (empty_thread_id) {
    writer.add(kThreadId, {});
  }
  if (prelogin.mars) writer.add(kMars, byte(*prelogin.mars ? 1 : 0));
  if (!prelogin.trace_id.empty()) writer.add(kTraceId, prelogin.trace_id);
  if (prelogin.federated_login)
    writer.add(kFederatedLogin, byte(*prelogin.federated_login ? 1 : 0));
  if (!prelogin.nonce.empty()) writer.add(kNonce, prelogin.nonce);
  writer.finish(out);
}

// ---------------------------------------------------------------- encryption

namespace {

constexpr auto kOff = static_cast<uint8_t>(Encryption::Off);
constexpr auto kOn = static_cast<uint8_t>(Encryption::On);
constexpr auto kNone = static_cast<uint8_t>(Encryption::NotSupported);
constexpr auto kRequired = static_cast<uint8_t>(Encryption::Required);

}  // namespace

// The tables below "ENCRYPTION" in 2.2.6.5.
Agreement agree_as_server(std::optional<uint8_t> client, ListenerTls listener) {
  const uint8_t byte = client.value_or(kNone);
  if (listener == ListenerTls::Strict) return {byte, Cover::All};
  // weir asks no client of this protocol for a certificate: the byte counts without that bit.
  const uint8_t wish = byte & ~kClientCertificate;
  const bool insists = wish == kOn || wish == kRequired;
  if (!insists && wish != kOff && wish != kNone) return {kNone, Cover::Refuse};
  switch (listener) {
    case ListenerTls::Disable: return {kNone, insists ? Cover::Refuse : Cover::None};
    case ListenerTls::Login:
      if (wish == kNone) return {kNone, Cover::None};
      return wish == kOff ? Agreement{kOff, Cover::Login} : Agreement{kOn, Cover::All};
    case ListenerTls::Prefer:
      if (wish == kNone) return {kNone, Cover::None};
      return {wish == kOff ? kRequired : kOn, Cover::All};
    default:
      if (wish == kNone) return {kRequired, Cover::Refuse};
      return {wish == kOff ? kRequired : kOn, Cover::All};
  }
}

uint8_t encryption_to_ask_for(ServerTls tls) {
  switch (tls) {
    case ServerTls::None: return kNone;
    case ServerTls::Login: return kOff;
    default: return kOn;
  }
}

Cover agree_as_client(ServerTls tls, std::optional<uint8_t> server) {
  if (tls == ServerTls::Strict) return Cover::All;
  const uint8_t answer = server.value_or(kNone);
  const bool insists = answer == kOn || answer == kRequired;
  if (!insists && answer != kOff && answer != kNone) return Cover::Refuse;
  switch (tls) {
    case ServerTls::None: return insists ? Cover::Refuse : Cover::None;
    case ServerTls::Login:
      if (answer == kNone) return Cover::None;
      return insists ? Cover::All : Cover::Login;
    default: return insists ? Cover::All : Cover::Refuse;
  }
}

}  // namespace weir::tds
