// Which database a client comes to, whatever protocol it speaks; what is demanded of it; and how
// much of what it says is encrypted.
#include <gtest/gtest.h>

#include <weir/config/load.h>

#include "app/demand.h"
#include "app/house.h"
#include "app/protocols.h"
#include "app/tls.h"
#include "fake_loop.h"

namespace weir::app {
namespace {

using config::TlsMode;
using protocol::Encryption;

// A protocol by name alone. Nobody speaks it here.
class Named final : public protocol::Protocol {
 public:
  Named(std::string name, const protocol::Protocol& like) : name_(std::move(name)), like_(like) {}
  std::string_view name() const override { return name_; }
  const protocol::Link& link() const override { return like_.link(); }
  std::unique_ptr<protocol::Greeting> greet(
      const protocol::GreetingOptions& options) const override {
    return like_.greet(options);
  }
  std::unique_ptr<protocol::Login> login(const protocol::LoginTarget& target) const override {
    return like_.login(target);
  }
  std::unique_ptr<protocol::Facts> facts() const override { return like_.facts(); }
  std::unique_ptr<protocol::Dialogue> query(const std::string& text,
                                            protocol::ServerState& server) const override {
    return like_.query(text, server);
  }

 private:
  std::string name_;
  const protocol::Protocol& like_;
};

std::vector<std::unique_ptr<protocol::Protocol>> postgres_and_tds(base::InternTable& texts) {
  std::vector<std::unique_ptr<protocol::Protocol>> out;
  out.push_back(std::move(make_protocols(texts).at(0)));
  out.push_back(std::make_unique<Named>("tds", *out[0]));
  return out;
}

config::Config load(const std::string& text) {
  auto loaded = config::load_text(text, "weir.yaml", {.protocols = protocol_descriptors()});
  EXPECT_TRUE(loaded) << loaded.report();
  return std::move(loaded.config);
}

const std::string kHead =
    "listeners:\n"
    "  - {protocol: postgres, address: \"127.0.0.1:1\"}\n"
    "  - {protocol: tds, address: \"127.0.0.1:2\"}\n"
    "auth: {method: trust}\n"
    "databases:\n";
const std::string kSales = "  sales: {url: \"mssql://127.0.0.1:1\"}\n";
const std::string kCrm = "  crm: {url: \"mssql://127.0.0.1:1/customers\"}\n";
const std::string kApp =
    "  app: {url: \"postgres://127.0.0.1:1/app\", pool: {max_client_connections: 1}}\n";
const std::string kAnyTds = "  \"*\": {url: \"mssql://127.0.0.1:1\"}\n";
const std::string kAnyPostgres = "  \"*\": {url: \"postgres://127.0.0.1:1\"}\n";

struct Names {
  std::string database, server_name;
};

// What stands behind a listener of `protocol` that may have a database of its own.
class Choice {
 public:
  explicit Choice(const std::string& databases, const std::string& of_listener = "",
                  size_t protocol = 1) {
    house_ = std::make_unique<House>(
        std::make_shared<const config::Config>(load(kHead + databases)), protocols_,
        [](const config::Database&) { return std::shared_ptr<session::Dialler>(); }, 1);
    worker_ = std::make_unique<session::Worker>(0, loop_, *house_);
    house_->add_worker(*worker_);
    door_->protocol = protocols_.at(protocol).get();
    door_->database = of_listener;
  }

  // "database as weir calls it -> as the server does", or what the client hears.
  std::string of(const Names& names) {
    session::Visitor visitor;
    visitor.door = door_;
    visitor.peer = "127.0.0.1:5";
    visitor.request.user = "ann";
    visitor.request.database = names.database;
    visitor.request.server_name = names.server_name;
    session::Admitted out;
    house_->admit(visitor, *worker_,
                  [&](session::Admitted admitted) { out = std::move(admitted); });
    std::string text = out.refusal.text;
    if (out.backend)
      text = out.backend->database() + " -> " + out.backend->plan()->target.database;
    else if (text.empty())
      text = house_->no_backend(*door_, visitor.request).text;
    used_ = house_->used("clients of database app");
    if (out.on_leave) out.on_leave();
    return text;
  }
  int used() const { return used_; }  // places of "app", by the last one

 private:
  base::InternTable texts_;
  std::vector<std::unique_ptr<protocol::Protocol>> protocols_ = postgres_and_tds(texts_);
  fake::FakeLoop loop_;
  std::unique_ptr<House> house_;
  std::unique_ptr<session::Worker> worker_;
  std::shared_ptr<session::Door> door_ = std::make_shared<session::Door>();
  int used_ = 0;
};

TEST(Choice, TheListenersComesFirst) {
  Choice choice(kSales + kCrm, "sales");
  EXPECT_EQ(choice.of({"crm", "crm"}), "sales -> sales");
  EXPECT_EQ(choice.of({"", ""}), "sales -> sales");
}

TEST(Choice, ThenTheDatabaseThenTheServersName) {
  Choice choice(kSales + kCrm);
  EXPECT_EQ(choice.of({"sales", "crm"}), "sales -> sales");
  EXPECT_EQ(choice.of({"other", "crm"}), "crm -> customers");
  EXPECT_EQ(choice.of({"", "crm"}), "crm -> customers");
  EXPECT_EQ(choice.of({"other", "db.example"}), "database \"other\" does not exist");
  EXPECT_EQ(choice.of({"", "db.example"}),
            "no database is named, and none is called \"db.example\"");
  EXPECT_EQ(choice.of({"", ""}), "no database is named");
}

TEST(Choice, ThenAnyOther) {
  Choice choice(kSales + kAnyTds);
  EXPECT_EQ(choice.of({"other", "sales"}), "sales -> sales");
  EXPECT_EQ(choice.of({"other", "db.example"}), "other -> other");
  // The server's own choice; it used to be called "" there, which stands for all of them.
  EXPECT_EQ(choice.of({"", "db.example"}), "* -> ");
  EXPECT_EQ(choice.of({"sales", ""}), "sales -> sales");
}

TEST(Choice, WhoNamesNoneMeansTheOnlyOne) {
  Choice choice(kSales + kApp);
  EXPECT_EQ(choice.of({"", "db.example"}), "sales -> sales");
  EXPECT_EQ(choice.of({"", ""}), "sales -> sales");
  EXPECT_EQ(choice.of({"other", ""}), "database \"other\" does not exist");
}

// A client that named a database of another protocol got to it, and ended the process: its greeting
// took what is known of those servers for what it knows of its own.
TEST(Choice, DatabasesOfOtherProtocolsDoNotCount) {
  Choice tds(kSales + kCrm + kApp + kAnyPostgres);
  EXPECT_EQ(tds.of({"app", ""}), "database \"app\" does not exist");
  EXPECT_EQ(tds.used(), 0);
  EXPECT_EQ(tds.of({"app", "crm"}), "crm -> customers");
  EXPECT_EQ(tds.of({"other", ""}), "database \"other\" does not exist");
  EXPECT_EQ(tds.of({"", "app"}), "no database is named, and none is called \"app\"");
  Choice postgres(kSales + kApp + kAnyPostgres, "", 0);
  EXPECT_EQ(postgres.of({"app", ""}), "app -> app");
  EXPECT_EQ(postgres.used(), 1);
  EXPECT_EQ(postgres.of({"sales", ""}), "database \"sales\" does not exist");
  EXPECT_EQ(postgres.of({"other", ""}), "other -> other");
}

TEST(Choice, HowAClientProvesWhoItIs) {
  base::InternTable texts;
  const auto protocols = postgres_and_tds(texts);
  auto door = std::make_shared<session::Door>();
  door->protocol = protocols.at(1).get();
  session::Visitor visitor;
  visitor.request.user = "ann";
  const auto demand = [&](protocol::AuthMethod method) {
    door->method = method;
    visitor.door = door;
    return demand_of(config::Config(), visitor, nullptr);
  };
  using protocol::AuthMethod;
  for (const auto method : {AuthMethod::Trust, AuthMethod::Plain, AuthMethod::Md5,
                            AuthMethod::ScramSha256, AuthMethod::Passthrough}) {
    EXPECT_EQ(demand(method).method, method);
    EXPECT_FALSE(demand(method).check);
  }
  for (const auto method : {AuthMethod::Pam, AuthMethod::Ldap}) {
    EXPECT_EQ(demand(method).method, AuthMethod::Plain);
    EXPECT_TRUE(demand(method).check);
  }
  for (const auto method : {AuthMethod::Cert, AuthMethod::Peer, AuthMethod::Rules}) {
    EXPECT_EQ(demand(method).method, AuthMethod::Plain);
    EXPECT_FALSE(demand(method).check);
  }
}

TEST(Choice, WhatIsEncrypted) {
  struct Row {
    TlsMode mode;
    Encryption to_client, to_postgres, to_tds;
  };
  const Row rows[] = {
      {TlsMode::Disable, Encryption::None, Encryption::None, Encryption::None},
      {TlsMode::Login, Encryption::LoginOnly, Encryption::LoginOnly, Encryption::LoginOnly},
      {TlsMode::Allow, Encryption::Offered, Encryption::Fallback, Encryption::Fallback},
      {TlsMode::Prefer, Encryption::Offered, Encryption::Offered, Encryption::LoginOnly},
      {TlsMode::Require, Encryption::Required, Encryption::Required, Encryption::Required},
      {TlsMode::Strict, Encryption::Direct, Encryption::Direct, Encryption::Direct},
      {TlsMode::VerifyCa, Encryption::Required, Encryption::Required, Encryption::Required},
      {TlsMode::VerifyFull, Encryption::Required, Encryption::Required, Encryption::Required},
  };
  for (const Row& row : rows) {
    const config::Tls tls{.mode = row.mode};
    EXPECT_EQ(client_encryption(tls), row.to_client) << static_cast<int>(row.mode);
    EXPECT_EQ(server_encryption(tls, "postgres"), row.to_postgres) << static_cast<int>(row.mode);
    EXPECT_EQ(server_encryption(tls, "tds"), row.to_tds) << static_cast<int>(row.mode);
  }
}

}  // namespace
}  // namespace weir::app
