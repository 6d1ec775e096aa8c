// LOGIN7 (MS-TDS 2.2.6.4).
#include "protocol/tds/login7.h"
#include "bytes.h"
#include "protocol/tds/packet.h"

namespace weir::tds {
namespace {

using namespace hand;

Login7 full(Version version = Version::V74) {
  Login7 login;
  login.version = version;
  login.packet_bytes = 8000;
  login.program_version = 7;
  login.process_id = 8;
  login.connection_id = 9;
  login.flags1 = kUseDatabaseNotice | kDatabaseMustExist | kSetLanguageNotice;
  login.flags2 = kLanguageMustExist | kOdbc;
  login.type_flags = kReadOnlyIntent;
  login.flags3 = kUnknownCollations;
  login.time_zone_minutes = -120;
  login.locale = 0x409;
  login.host = "host";
  login.user = "m\u00fcller";
  login.password = "p\u00e4ss \U0001f511";
  login.application = "an application";
  login.server = "server";
  login.library = "library";
  login.language = "us_english";
  login.database = "db";
  login.client_id = {1, 2, 3, 4, 5, 6};
  login.attach_file = "file.mdf";
  if (is_since_72(version)) login.new_password = "new";
  if (version >= Version::V74) {
    login.flags3 |= kHasExtension;
    login.features = {{FeatureId::SessionRecovery, ""}, {FeatureId::Utf8, "\x01"}};
  }
  return login;
}

std::string written(const Login7& login) {
  auto body = write_login7(login);
  EXPECT_TRUE(body);
  return body ? body.value() : "";
}

std::string error_of(const std::string& body) {
  const std::string exact(body);
  const auto login = read_login7(exact);
  return login ? "" : login.error().text;
}

TEST(TdsLogin7, WhatIsWrittenIsRead) {
  for (const Version version :
       {Version::V71, Version::V72, Version::V73A, Version::V73B, Version::V74, Version::V80}) {
    const Login7 login = full(version);
    const auto read = read_login7(written(login));
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read.value(), login) << static_cast<int>(version);
  }
}

TEST(TdsLogin7, AsAClientHasWrittenIt) {
  for (const auto& recording : recordings::all()) {
    if (recording.name != "raw_attention_idle" && recording.name != "tsql_login_tds71") continue;
    MessageAssembler message(Side::Client, 4096);
    const size_t prelogin = message.feed(recording.client)->bytes;
    message.clear();
    ASSERT_TRUE(message.feed(Bytes(recording.client).substr(prelogin))->whole);
    const auto read = read_login7(message.payload());
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read.value().user, "weir_trace");
    EXPECT_EQ(read.value().password, "Trace-pw-1");
    if (recording.name == "tsql_login_tds71") {
      EXPECT_EQ(read.value().version, Version::V71);
      EXPECT_FALSE(read.value().wants_new_password() || read.value().wants_sspi());
      continue;
    }
    EXPECT_EQ(read.value().application, "weir-raw");
    EXPECT_EQ(read.value().library, "rawlib");
    ASSERT_EQ(read.value().features.size(), 1U);
    EXPECT_NE(read.value().feature(FeatureId::Utf8), nullptr);
    EXPECT_EQ(read.value().feature(FeatureId::Json), nullptr);
  }
}

TEST(TdsLogin7, PasswordsAreHidden) {
  std::string hidden = utf16_of("a");
  obfuscate(hidden);
  EXPECT_EQ(hidden, hex("b3 a5"));
  reveal(hidden);
  EXPECT_EQ(hidden, utf16_of("a"));
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  std::string turned = all;
  obfuscate(turned);
  reveal(turned);
  EXPECT_EQ(turned, all);
}

TEST(TdsLogin7, WhoBringsWhatWeirDoesNotTakeIsSeen) {
  Login7 login = full();
  login.new_password.clear();
  EXPECT_FALSE(login.wants_sspi() || login.wants_new_password());
  login.flags3 |= kChangePassword;
  EXPECT_TRUE(read_login7(written(login)).value().wants_new_password());
  login.flags2 |= kIntegratedSecurity;
  EXPECT_TRUE(read_login7(written(login)).value().wants_sspi());
  login = full();
  login.sspi = std::string(3000, '\x60');
  EXPECT_TRUE(read_login7(written(login)).value().wants_sspi());
  EXPECT_EQ(read_login7(written(login)).value().sspi, login.sspi);
}

// One of more than 64 KB has its length elsewhere.
TEST(TdsLogin7, ALongSspi) {
  std::string body = written(full());
  const size_t at = body.size();
  body += std::string(0x10005, '\x60');
  const auto put = [&](size_t place, const std::string& value) {
    body.replace(place, value.size(), value);
  };
  put(0, le(static_cast<uint32_t>(body.size())));
  put(78, le(static_cast<uint16_t>(at)) + hex("ffff"));
  put(90, le(uint32_t{0x10005}));
  EXPECT_EQ(read_login7(body).value().sspi.size(), 0x10005U);
  put(90, le(uint32_t{0x10006}));
  EXPECT_EQ(error_of(body), "invalid LOGIN7: something lies outside of it");
  put(90, le(uint32_t{0}));
  EXPECT_EQ(read_login7(body).value().sspi.size(), 0xffffU);
}

// ---------------------------------------------------------------- what is refused

const std::string kOutside = "invalid LOGIN7: something lies outside of it";

std::string with(size_t place, const std::string& value, std::string body = written(full())) {
  return body.replace(place, value.size(), value);
}

// Of each text: where its place stands.
const std::vector<size_t> kPlaces{36, 40, 44, 48, 52, 60, 64, 68, 82, 86};

// tds T15
TEST(TdsLogin7, WhatPointsOutside) {
  const std::string body = written(full());
  const auto end = static_cast<uint16_t>(body.size());
  for (const size_t place : kPlaces) {
    const auto text = [&](uint16_t offset, uint16_t count) {
      return error_of(with(place, le(offset) + le(count)));
    };
    EXPECT_EQ(text(static_cast<uint16_t>(end - 1), 1), kOutside) << place;  // half a character
    EXPECT_EQ(text(end, 1), kOutside) << place;
    EXPECT_EQ(text(0xffff, 1), kOutside) << place;
    EXPECT_EQ(text(0xffff, 100), kOutside) << place;
    EXPECT_EQ(text(0, 1), kOutside) << place;  // in the fixed part
    EXPECT_EQ(text(93, 1), kOutside) << place;
    EXPECT_EQ(text(0xffff, 0), "") << place;  // says nothing: points anywhere
    EXPECT_EQ(text(94, 0x8001), place == 44 || place == 86 ? "LOGIN7: the password is too long"
                                                           : "LOGIN7: a name is too long")
        << place;  // twice this is 2 in 16 bits
    EXPECT_EQ(text(94, 0xffff), place == 44 || place == 86 ? "LOGIN7: the password is too long"
                                                           : "LOGIN7: a name is too long");
  }
  EXPECT_EQ(error_of(with(78, le(end) + le(uint16_t{1}))), kOutside);  // SSPI
  EXPECT_EQ(error_of(with(78, le(uint16_t{94}) + le(uint16_t{0xffff}))), kOutside);
}

// tds T15
TEST(TdsLogin7, FeaturesOutside) {
  const std::string body = written(full());
  const auto end = static_cast<uint32_t>(body.size());
  const auto place = load_le<uint16_t>(body.data() + 56);
  const std::string nowhere = "invalid LOGIN7: its features lie outside";
  const std::string endless = "invalid LOGIN7: its features have no end";
  EXPECT_EQ(error_of(with(56, le(static_cast<uint16_t>(end - 3)))), kOutside);
  EXPECT_EQ(error_of(with(56, le(uint16_t{0xffff}))), kOutside);
  EXPECT_EQ(error_of(with(58, le(uint16_t{3}))), "invalid LOGIN7: its features have no place");
  EXPECT_EQ(error_of(with(58, le(uint16_t{0}))), "");
  EXPECT_EQ(error_of(with(place, le(end + 1))), nowhere);
  EXPECT_EQ(error_of(with(place, le(uint32_t{0xffffffff}))), nowhere);
  EXPECT_EQ(error_of(with(place, le(uint32_t{93}))), nowhere);
  EXPECT_EQ(error_of(with(place, le(end))), endless);
  EXPECT_EQ(error_of(with(end - 1, hex("05"))), endless);
  const auto features = load_le<uint32_t>(body.data() + place);
  EXPECT_EQ(error_of(with(features + 1, le(uint32_t{0xffffffff}))), endless);
  EXPECT_EQ(error_of(with(features + 1, le(uint32_t{0x7fffffff}))), endless);
  Login7 many = full();
  many.features.assign(kFeaturesMax, {FeatureId::Json, ""});
  EXPECT_EQ(error_of(written(many)), "");
  many.features.push_back({FeatureId::Json, ""});
  EXPECT_EQ(error_of(written(many)), "LOGIN7: too many features");
}

// tds T15
TEST(TdsLogin7, LengthsAndVersions) {
  const std::string body = written(full());
  for (size_t bytes = 0; bytes < body.size(); ++bytes) {
    EXPECT_NE(error_of(body.substr(0, bytes)), "") << bytes;
    std::string shorter = body.substr(0, bytes);
    if (bytes < 8) continue;
    shorter.replace(0, 4, le(static_cast<uint32_t>(bytes)));
    EXPECT_NE(error_of(shorter), "") << bytes;
  }
  EXPECT_EQ(error_of(body + "behind"), "");
  EXPECT_EQ(error_of(with(0, le(uint32_t{0xffffffff}))), "invalid LOGIN7: it ends too early");
  EXPECT_EQ(error_of(with(0, le(uint32_t{93}))), "invalid LOGIN7: it is too short");
  for (const uint32_t version : {0x70000000U, 0U, 0x04000074U, 0x75000005U})
    EXPECT_EQ(error_of(with(4, le(version))),
              "unsupported version of TDS: weir speaks 7.1 to 7.4 and 8.0");
  Login7 login = full();
  login.user = std::string(kLoginNameCharsMax, 'u');
  EXPECT_EQ(error_of(written(login)), "");
  login.user += 'u';
  EXPECT_EQ(error_of(written(login)), "LOGIN7: a name is too long");
  login = full();
  const auto user_at = load_le<uint16_t>(body.data() + 40);
  EXPECT_EQ(error_of(with(user_at, hex("00d8"))), "invalid LOGIN7: a name is no UTF-16");
  login.sspi = std::string(0x10000, 's');
  EXPECT_FALSE(write_login7(login));
}

}  // namespace
}  // namespace weir::tds
