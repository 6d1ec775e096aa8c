#include "protocol/postgres/scram.h"

#include <gtest/gtest.h>

#include <weir/base/crypto.h>

namespace weir::postgres {
namespace {

using base::ErrorKind;
using namespace std::literals;

// RFC 7677, section 3.
const std::string kSalt = [] {
  std::string salt;
  base::base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==", salt);
  return salt;
}();
constexpr auto kClientNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr auto kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr auto kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr auto kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr auto kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr auto kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

const ScramKeys& keys() {
  static const ScramKeys made = make_keys("pencil", kSalt, 4096);
  return made;
}
ScramServer server() { return {verifier_of(keys()), kServerNonce}; }

TEST(ScramServer, FollowsTheExampleOfTheRfc) {
  ScramServer scram = server();
  const auto first = scram.on_client_first(kScram, kClientFirst);
  ASSERT_TRUE(first);
  EXPECT_EQ(first.value(), kServerFirst);
  const auto final = scram.on_client_final(kClientFinal);
  ASSERT_TRUE(final);
  EXPECT_EQ(final.value(), kServerFinal);
  EXPECT_EQ(scram.client_key(), keys().client_key);
}

TEST(ScramClient, FollowsTheExampleOfTheRfc) {
  ScramClient scram(kClientNonce, "user");
  EXPECT_EQ(scram.client_first(), kClientFirst);
  ASSERT_TRUE(scram.on_server_first(kServerFirst));
  EXPECT_EQ(scram.salt(), kSalt);
  EXPECT_EQ(scram.iterations(), 4096);
  EXPECT_EQ(scram.client_final(keys()), kClientFinal);
  EXPECT_TRUE(scram.on_server_final(kServerFinal));
}

TEST(ScramServer, TakesAClientThatCouldBindChannels) {
  ScramServer scram = server();
  ASSERT_TRUE(scram.on_client_first(kScram, "y,,n=,r=abc"));
  // biws is "n,,": not what this client began with.
  EXPECT_FALSE(
      scram.on_client_final("c=biws,r=abc"s + kServerNonce + ",p=" + std::string(43, 'A') + "="));
}

// Both halves, over a channel whose server has the certificate `shown` and whose client saw `seen`.
base::Status bound_exchange(const std::string& shown, const std::string& seen) {
  ScramServer ours(verifier_of(keys()), kServerNonce, shown);
  ScramClient theirs(kClientNonce);
  theirs.bind(ScramClient::Binding::Bound, seen);
  auto first = ours.on_client_first(kScramPlus, theirs.client_first());
  if (!first) return first.error();
  if (auto read = theirs.on_server_first(*first); !read) return read;
  auto final = ours.on_client_final(theirs.client_final(keys()));
  if (!final) return final.error();
  return theirs.on_server_final(*final);
}

TEST(ScramServer, BindsToTheChannel) {
  EXPECT_TRUE(bound_exchange("hash", "hash"));
  EXPECT_FALSE(bound_exchange("hash", "another hash"));  // somebody stands between them
  EXPECT_FALSE(bound_exchange("", "hash"));              // was not on offer
}

TEST(ScramServer, OffersBindingWhereThereIsAChannel) {
  EXPECT_EQ(server().mechanisms(), (std::vector<std::string_view>{kScram}));
  EXPECT_EQ(ScramServer(verifier_of(keys()), kServerNonce, "hash").mechanisms(),
            (std::vector<std::string_view>{kScramPlus, kScram}));
}

TEST(ScramServer, RefusesADowngradeOfTheBinding) {
  const auto over_tls = [] { return ScramServer(verifier_of(keys()), kServerNonce, "hash"); };
  EXPECT_TRUE(over_tls().on_client_first(kScram, "n,,n=,r=abc"));   // cannot bind
  EXPECT_FALSE(over_tls().on_client_first(kScram, "y,,n=,r=abc"));  // could, and saw no offer
  EXPECT_FALSE(over_tls().on_client_first(kScram, "p=tls-server-end-point,,n=,r=abc"));
  EXPECT_FALSE(over_tls().on_client_first(kScramPlus, "n,,n=,r=abc"));
  EXPECT_FALSE(over_tls().on_client_first(kScramPlus, "p=tls-unique,,n=,r=abc"));
  EXPECT_FALSE(over_tls().on_client_first(kScramPlus, "p=tls-server-end-point,a=x,n=,r=abc"));
  EXPECT_FALSE(over_tls().on_client_first(kScramPlus, "p=tls-server-end-point,"));
  EXPECT_FALSE(over_tls().on_client_first("SCRAM-SHA-1", "n,,n=,r=abc"));
}

TEST(ScramServer, SkipsExtensionsBesideMandatoryOnes) {
  EXPECT_TRUE(server().on_client_first(kScram, "n,,n=,r=abc,x=1,y=two"));
  EXPECT_FALSE(server().on_client_first(kScram, "n,,n=,r=abc,m=1"));
}

TEST(ScramServer, RefusesHostileFirstMessages) {
  const std::string long_nonce(kScramNonceBytesMax + 1, 'x');
  for (const std::string& message : std::vector<std::string>{"",
                                                             "n",
                                                             "n,",
                                                             "n,,",
                                                             "n,,n=",
                                                             "n,,n=,",
                                                             "n,,n=,r=",
                                                             "n,,r=abc",
                                                             "n,,r=abc,n=",
                                                             "x,,n=,r=abc",
                                                             "p=tls-unique,,n=,r=abc",
                                                             "n,a=other,n=,r=abc",
                                                             "n,b,n=,r=abc",
                                                             "n,,m=1,n=,r=abc",
                                                             "n,,n=,r=a b",
                                                             "n,,n=,r=a\0b"s,
                                                             "n,,n=,r=a\x7f",
                                                             "n,,n=,r=\xc3\xa4",
                                                             "n,,n=,r=abc,",
                                                             "n,,n=,r=abc,=",
                                                             "n,,n=,r=abc,1=2",
                                                             "n,,n=,r=abc\0"s,
                                                             "n,,n=a\0b,r=abc"s,
                                                             "n,,n=,r=" + long_nonce}) {
    const auto answer = server().on_client_first(kScram, message);
    ASSERT_FALSE(answer) << message;
    EXPECT_EQ(answer.error().kind, ErrorKind::Protocol) << message;
  }
  EXPECT_TRUE(server().on_client_first(kScram, "n,,n=,r=" + long_nonce.substr(1)));
}

TEST(ScramServer, RefusesHostileFinalMessages) {
  const std::string nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const std::string proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  for (const std::string& message :
       std::vector<std::string>{"",
                                "c=biws",
                                "c=biws,",
                                "c=biws,r=" + nonce,
                                "c=biws,r=" + nonce + ",",
                                "r=" + nonce + ",p=" + proof,
                                "c=eSws,r=" + nonce + ",p=" + proof,
                                "c=,r=" + nonce + ",p=" + proof,
                                "c=biws,r=" + nonce + "x,p=" + proof,
                                "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=" + proof,
                                "c=biws,r=,p=" + proof,
                                "c=biws,r=" + nonce + ",p=",
                                "c=biws,r=" + nonce + ",p=" + proof + ",x=1",
                                "c=biws,r=" + nonce + ",p=" + proof + "\0"s,
                                "c=biws,r=" + nonce + ",p=" + proof.substr(4),
                                "c=biws,r=" + nonce + ",p=" + proof + "AAAA",
                                "c=biws,r=" + nonce + ",p=" + std::string(44, '!'),
                                "c=biws,r=" + nonce + ",p=" + std::string(44, 'A'),
                                "c=biws,r=" + nonce + ",m=1,p=" + proof,
                                "c=biws,p=" + proof + ",r=" + nonce}) {
    ScramServer scram = server();
    ASSERT_TRUE(scram.on_client_first(kScram, kClientFirst));
    const auto answer = scram.on_client_final(message);
    ASSERT_FALSE(answer) << message;
    EXPECT_EQ(answer.error().kind, ErrorKind::Protocol) << message;
  }
}

TEST(ScramServer, TellsAWrongProofFromAMalformedOne) {
  ScramServer scram = server();
  ASSERT_TRUE(scram.on_client_first(kScram, kClientFirst));
  std::string wrong(kClientFinal);
  wrong[wrong.size() - 3] = 'A';
  const auto answer = scram.on_client_final(wrong);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::Refused);
  EXPECT_EQ(scram.client_key(), "");
}

TEST(ScramClient, RefusesHostileFirstMessages) {
  const std::string nonce(kClientNonce);
  const std::string salt = ",s=W22ZaJ0SNY7soEsUEjb6gQ==";
  for (const std::string& message : std::vector<std::string>{
           "",
           "r=",
           "r=" + nonce,
           "r=" + nonce + salt + ",i=4096",
           "r=other" + salt + ",i=4096",
           "r=" + nonce + "x",
           "r=" + nonce + "x" + salt,
           "r=" + nonce + "x" + salt + ",i=",
           "r=" + nonce + "x" + salt + ",i=0",
           "r=" + nonce + "x" + salt + ",i=1000001",
           "r=" + nonce + "x" + salt + ",i=-1",
           "r=" + nonce + "x" + salt + ",i=99999999999999999999",
           "r=" + nonce + "x" + salt + ",i=4096 ",
           "r=" + nonce + "x" + salt + ",i=4096,",
           "r=" + nonce + "x" + salt + ",i=4096,x=y",
           "r=" + nonce + "x" + salt + ",i=4096\0"s,
           "r=" + nonce + "x,s=,i=4096",
           "r=" + nonce + "x,s=W22,i=4096",
           "r=" + nonce + "x,s=!!!!,i=4096",
           "m=x,r=" + nonce + "x" + salt + ",i=4096",
           "s=W22ZaJ0SNY7soEsUEjb6gQ==,r=" + nonce + "x,i=4096",
           "r=" + nonce + "x y" + salt + ",i=4096",
           "r=" + nonce + std::string(kScramNonceBytesMax, 'x') + salt + ",i=4096",
           "r=" + nonce + "x,s=" + std::string(2000, 'A') + ",i=4096"}) {
    ScramClient scram(nonce);
    const auto status = scram.on_server_first(message);
    ASSERT_FALSE(status) << message;
    EXPECT_EQ(status.error().kind, ErrorKind::Protocol) << message;
  }
  ScramClient scram(nonce);
  EXPECT_TRUE(scram.on_server_first("r=" + nonce + "x" + salt + ",i=1"));
}

TEST(ScramClient, RefusesAServerThatDoesNotKnowTheSecret) {
  for (const std::string& message : std::vector<std::string>{
           "", "v=", "v=AAAA", "e=other-error", "v=" + std::string(43, 'A') + "=",
           std::string(kServerFinal) + ",x=1", std::string(kServerFinal) + "\0"s,
           "x=1," + std::string(kServerFinal)}) {
    ScramClient scram(kClientNonce, "user");
    ASSERT_TRUE(scram.on_server_first(kServerFirst));
    EXPECT_EQ(scram.client_final(keys()), kClientFinal);
    EXPECT_FALSE(scram.on_server_final(message)) << message;
  }
}

TEST(Secrets, KnowTheirKind) {
  EXPECT_EQ(secret_kind("secret"), SecretKind::Plain);
  EXPECT_EQ(secret_kind("md5secret"), SecretKind::Plain);
  EXPECT_EQ(secret_kind(md5_secret("user", "secret")), SecretKind::Md5);
  EXPECT_EQ(md5_secret("postgres", "secret"), "md5" + base::md5_hex("secretpostgres"));
  EXPECT_EQ(secret_kind("SCRAM-SHA-256$nonsense"), SecretKind::Plain);  // as PostgreSQL takes it
  EXPECT_EQ(secret_kind(verifier_of(keys()).text()), SecretKind::Scram);
}

TEST(Secrets, SurviveTheRoundTrip) {
  const auto verifier = read_verifier(verifier_of(keys()).text());
  ASSERT_TRUE(verifier);
  EXPECT_EQ(verifier.value().iterations, 4096);
  EXPECT_EQ(verifier.value().salt, kSalt);
  EXPECT_EQ(verifier.value().stored_key, base::sha256(keys().client_key));
  EXPECT_EQ(verifier.value().server_key, keys().server_key);
  const auto same = read_keys(keys().text());
  ASSERT_TRUE(same);
  EXPECT_EQ(same.value().client_key, keys().client_key);
  EXPECT_FALSE(read_keys(verifier_of(keys()).text()));
  EXPECT_FALSE(read_verifier(keys().text()));
}

TEST(Secrets, RefuseMalformedVerifiers) {
  const std::string key = std::string(43, 'A') + "=";
  for (const std::string& text : std::vector<std::string>{
           "SCRAM-SHA-256$", "SCRAM-SHA-256$4096", "SCRAM-SHA-256$4096:AAAA",
           "SCRAM-SHA-256$4096:AAAA$" + key, "SCRAM-SHA-256$0:AAAA$" + key + ":" + key,
           "SCRAM-SHA-256$1000001:AAAA$" + key + ":" + key,
           "SCRAM-SHA-256$x:AAAA$" + key + ":" + key, "SCRAM-SHA-256$4096:$" + key + ":" + key,
           "SCRAM-SHA-256$4096:AAAA$" + key + ":AAAA", "SCRAM-SHA-256$4096:AAAA$AAAA:" + key,
           "SCRAM-SHA-256$4096:AA!A$" + key + ":" + key,
           "SCRAM-SHA-1$4096:AAAA$" + key + ":" + key})
    EXPECT_FALSE(read_verifier(text)) << text;
  EXPECT_TRUE(read_verifier("SCRAM-SHA-256$4096:AAAA$" + key + ":" + key));
}

ScramVerifier ad_hoc(ScramStore& store, std::string_view user, std::string_view password,
                     int iterations) {
  return verifier_of(store.keys(password, store.salt_of(user), iterations));
}

TEST(ScramStore, AUserThatDoesNotExistHasTheSaltItWouldHave) {
  ScramStore store("process");
  const ScramVerifier real = ad_hoc(store, "alice", "secret", 10);
  const ScramVerifier mock = store.mock("alice", 10);
  EXPECT_EQ(real.salt, mock.salt);
  EXPECT_EQ(real.iterations, mock.iterations);
  EXPECT_NE(real.stored_key, mock.stored_key);
  EXPECT_EQ(mock.stored_key, store.mock("alice", 10).stored_key);
  EXPECT_NE(mock.salt, store.mock("bob", 10).salt);
  EXPECT_NE(mock.salt, ScramStore("another process").mock("alice", 10).salt);
}

TEST(ScramStore, DerivesOnceAndForgetsTheOldest) {
  ScramStore store("process");
  EXPECT_EQ(ad_hoc(store, "u", "p", 5).stored_key, ad_hoc(store, "u", "p", 5).stored_key);
  EXPECT_EQ(store.size(), 1u);
  EXPECT_NE(ad_hoc(store, "u", "p", 6).stored_key, ad_hoc(store, "u", "p", 5).stored_key);
  EXPECT_NE(ad_hoc(store, "u", "q", 5).stored_key, ad_hoc(store, "u", "p", 5).stored_key);
  EXPECT_EQ(store.size(), 3u);
  for (int i = 0; i < 2000; ++i) (void)ad_hoc(store, "u", std::to_string(i), 1);
  EXPECT_EQ(store.size(), ScramStore::kEntriesMax);
}

TEST(ScramStore, RemembersOnlyRightPasswords) {
  ScramStore store("process");
  const ScramVerifier verifier = make_verifier("right", "some salt", 7);
  EXPECT_FALSE(store.matches("wrong", verifier));
  EXPECT_EQ(store.size(), 0u);
  EXPECT_TRUE(store.matches("right", verifier));
  EXPECT_TRUE(store.matches("right", verifier));
  EXPECT_EQ(store.size(), 1u);
}

}  // namespace
}  // namespace weir::postgres
