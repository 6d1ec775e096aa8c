#include "login7.h"

#include <algorithm>

#include "utf16.h"

namespace weir::tds {

namespace {

// The fixed part ends here; since 7.2 a new password and the long SSPI length follow.
constexpr size_t kOldFixedBytes = 86;
constexpr size_t kFixedBytes = 94;
constexpr uint16_t kLongSspi = 0xffff;

Error invalid(const char* what) {
  return {ErrorKind::Protocol, std::string("invalid LOGIN7: ") + what};
}

struct Place {
  size_t offset = 0;
  size_t count = 0;
};

Place take_place(Reader& fixed) {
  const size_t offset = fixed.u16();
  return {offset, fixed.u16()};
}

class BodyReader {
 public:
  BodyReader(Bytes body, size_t fixed_bytes) : body_(body), fixed_bytes_(fixed_bytes) {}

  const Error* error() const { return error_.text.empty() ? nullptr : &error_; }

  // Of this many bytes at that place, behind the fixed part.
  Bytes bytes(Place place) {
    if (place.count == 0) return {};
    if (place.offset < fixed_bytes_ || place.offset > body_.size() ||
        place.count > body_.size() - place.offset) {
      fail(invalid("something lies outside of it"));
      return {};
    }
    return body_.substr(place.offset, place.count);
  }

  void text(Place place, std::string& out, size_t chars_max = kLoginNameCharsMax) {
    if (place.count > chars_max) return fail({ErrorKind::TooLarge, "LOGIN7: a name is too long"});
    take_text(bytes({place.offset, place.count * 2}), out);
  }

  void password(Place place, std::string& out) {
    if (place.count > kLoginNameCharsMax)
      return fail({ErrorKind::TooLarge, "LOGIN7: the password is too long"});
    std::string utf16(bytes({place.offset, place.count * 2}));
    reveal(utf16);
    take_text(utf16, out);
  }

  // `place` is that of the u32 which is the offset of the features.
  void features(Place place, std::vector<Feature>& out) {
    if (place.count == 0) return;
    if (place.count < 4) return fail(invalid("its features have no place"));
    const Bytes pointer = bytes({place.offset, 4});
    if (pointer.empty()) return;
    const size_t at = load_le<uint32_t>(pointer.data());
    if (at < fixed_bytes_ || at > body_.size()) return fail(invalid("its features lie outside"));
    for (Reader reader(body_.substr(at));;) {
      const auto id = static_cast<FeatureId>(reader.u8());
      if (reader.ok() && id == FeatureId::Terminator) return;
      const Bytes data = reader.raw(reader.u32());
      if (!reader.ok()) return fail(invalid("its features have no end"));
      if (out.size() == kFeaturesMax)
        return fail({ErrorKind::TooLarge, "LOGIN7: too many features"});
      out.push_back({id, std::string(data)});
    }
  }

 private:
  void fail(Error error) {
    if (error_.text.empty()) error_ = std::move(error);
  }
  void take_text(Bytes utf16, std::string& out) {
    if (!append_utf8(out, utf16)) fail(invalid("a name is no UTF-16"));
  }

  Bytes body_;
  size_t fixed_bytes_;
  Error error_;
};

// The numbers in front.
void take_numbers(Reader& fixed, Login7& login) {
  login.packet_bytes = fixed.u32();
  login.program_version = fixed.u32();
  login.process_id = fixed.u32();
  login.connection_id = fixed.u32();
  login.flags1 = fixed.u8();
  login.flags2 = fixed.u8();
  login.type_flags = fixed.u8();
  login.flags3 = fixed.u8();
  login.time_zone_minutes = fixed.le<int32_t>();
  login.locale = fixed.u32();
}

void take_texts(Reader& fixed, BodyReader& reader, Login7& login) {
  reader.text(take_place(fixed), login.host);
  reader.text(take_place(fixed), login.user);
  reader.password(take_place(fixed), login.password);
  reader.text(take_place(fixed), login.application);
  reader.text(take_place(fixed), login.server);
  const Place extension = take_place(fixed);
  // Before 7.4 the bit and the place are unused; some clients set the bit all the same.
  if (login.version >= Version::V74 && (login.flags3 & kHasExtension) != 0)
    reader.features(extension, login.features);
  reader.text(take_place(fixed), login.library);
  reader.text(take_place(fixed), login.language);
  reader.text(take_place(fixed), login.database);
  const Bytes id = fixed.raw(login.client_id.size());
  std::copy(id.begin(), id.end(), login.client_id.begin());
  Place sspi = take_place(fixed);
  reader.text(take_place(fixed), login.attach_file, kAttachFileCharsMax);
  if (is_since_72(login.version)) {
    reader.password(take_place(fixed), login.new_password);
    const uint32_t long_sspi = fixed.u32();
    if (sspi.count == kLongSspi && long_sspi > 0) sspi.count = long_sspi;
  }
  login.sspi = reader.bytes(sspi);
}

}  // namespace

const Feature* Login7::feature(FeatureId id) const {
  const auto found = std::find_if(features.begin(), features.end(),
                                  [&](const Feature& each) { return each.id == id; });
  return found == features.end() ? nullptr : &*found;
}

Result<Login7> read_login7(Bytes body) {
  Reader head(body);
  const uint32_t length = head.u32();
  const uint32_t wire_version = head.u32();
  if (!head.ok()) return invalid("it is too short");
  const auto version = version_of(wire_version);
  if (!version)
    return Error{ErrorKind::Refused, "unsupported version of TDS: weir speaks 7.1 to 7.4 and 8.0"};
  const size_t fixed_bytes = is_since_72(*version) ? kFixedBytes : kOldFixedBytes;
  if (length > body.size()) return invalid("it ends too early");
  if (length < fixed_bytes) return invalid("it is too short");
  body = body.substr(0, length);

  Login7 login;
  login.version = *version;
  Reader fixed(body.substr(8, fixed_bytes - 8));
  take_numbers(fixed, login);
  BodyReader reader(body, fixed_bytes);
  take_texts(fixed, reader, login);
  if (const Error* error = reader.error()) return *error;
  return login;
}

// ---------------------------------------------------------------- writing

namespace {

class BodyWriter {
 public:
  explicit BodyWriter(size_t fixed_bytes) : fixed_bytes_(fixed_bytes) {}

  void place(size_t count) {
    const size_t at = fixed_bytes_ + data_.size();
    good_ = good_ && at <= UINT16_MAX && count <= UINT16_MAX;
    append_le(fixed, static_cast<uint16_t>(at));
    append_le(fixed, static_cast<uint16_t>(count));
  }
  void text(std::string_view utf8) { utf16(utf16_of(utf8)); }
  void password(std::string_view utf8) {
    std::string hidden = utf16_of(utf8);
    obfuscate(hidden);
    utf16(hidden);
  }
  // Returns where in the data the u32 stands that has to point to the features.
  size_t pointer() {
    place(4);
    data_.append(4, '\0');
    return data_.size() - 4;
  }
  void features(size_t pointer_at, const std::vector<Feature>& features) {
    const auto at = static_cast<uint32_t>(fixed_bytes_ + data_.size());
    std::memcpy(data_.data() + pointer_at, &at, sizeof at);
    for (const Feature& feature : features) {
      append_byte(data_, static_cast<uint8_t>(feature.id));
      append_le(data_, static_cast<uint32_t>(feature.data.size()));
      data_ += feature.data;
    }
    append_byte(data_, static_cast<uint8_t>(FeatureId::Terminator));
  }
  void bytes(Bytes value) {
    place(value.size());
    data_ += value;
  }

  bool good() const { return good_; }
  const std::string& data() const { return data_; }

  std::string fixed;

 private:
  void utf16(const std::string& text) {
    place(text.size() / 2);
    data_ += text;
  }

  size_t fixed_bytes_;
  std::string data_;
  bool good_ = true;
};

void write_numbers(const Login7& login, std::string& out) {
  append_le(out, wire_value(login.version));
  append_le(out, login.packet_bytes);
  append_le(out, login.program_version);
  append_le(out, login.process_id);
  append_le(out, login.connection_id);
  append_byte(out, login.flags1);
  append_byte(out, login.flags2);
  append_byte(out, login.type_flags);
  const unsigned flags3 = login.flags3 & ~unsigned{kHasExtension};
  append_byte(out, login.features.empty() ? flags3 : flags3 | kHasExtension);
  append_le(out, login.time_zone_minutes);
  append_le(out, login.locale);
}

}  // namespace

Result<std::string> write_login7(const Login7& login) {
  BodyWriter writer(is_since_72(login.version) ? kFixedBytes : kOldFixedBytes);
  write_numbers(login, writer.fixed);
  writer.text(login.host);
  writer.text(login.user);
  writer.password(login.password);
  writer.text(login.application);
  writer.text(login.server);
  size_t pointer_at = 0;
  if (login.features.empty())
    writer.place(0);
  else
    pointer_at = writer.pointer();
  writer.text(login.library);
  writer.text(login.language);
  writer.text(login.database);
  writer.fixed.append(login.client_id.data(), login.client_id.size());
  writer.bytes(login.sspi);
  writer.text(login.attach_file);
  if (is_since_72(login.version)) {
    writer.password(login.new_password);
    append_le(writer.fixed, uint32_t{0});
  }
  if (!login.features.empty()) writer.features(pointer_at, login.features);
  if (!writer.good()) return Error{ErrorKind::TooLarge, "LOGIN7: too much for one message"};
  std::string out;
  append_le(out, static_cast<uint32_t>(4 + writer.fixed.size() + writer.data().size()));
  return out + writer.fixed + writer.data();
}

void obfuscate(std::string& utf16) {
  for (char& c : utf16) {
    const auto byte = static_cast<unsigned char>(c);
    c = static_cast<char>((byte << 4 | byte >> 4) ^ 0xa5);
  }
}

void reveal(std::string& utf16) {
  for (char& c : utf16) {
    const auto byte = static_cast<unsigned char>(c ^ 0xa5);
    c = static_cast<char>(byte << 4 | byte >> 4);
  }
}

bool is_hashed(std::string_view secret) {
  if (secret.starts_with("SCRAM-SHA-256$")) return true;
  return secret.size() == 35 && secret.starts_with("md5") &&
         secret.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos;
}

}  // namespace weir::tds
