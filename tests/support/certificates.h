// Certificates for tests: an authority, and what it has signed, as PEM files in a folder of their
// own that goes with them.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace weir::fake {

class Authority {
 public:
  explicit Authority(const std::string& name = "authority") {
    char folder[] = "/tmp/weir-certificates-XXXXXX";
    if (!mkdtemp(folder)) std::abort();
    folder_ = folder;
    name_ = name;
    key_ = EVP_EC_gen("P-256");
    certificate_ = make(name, key_, "");
    write(certificate_, key_, name);
  }
  ~Authority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
    std::filesystem::remove_all(folder_);
  }
  std::string ca() const { return cert(name_); }
  std::string cert(const std::string& name) const { return folder_ + "/" + name + ".crt"; }
  std::string key(const std::string& name) const { return folder_ + "/" + name + ".key"; }

  // `alternatives` as in openssl.cnf: "DNS:localhost,IP:127.0.0.1".
  void sign(const std::string& name, const std::string& alternatives = "") {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = make(name, key, alternatives);
    write(certificate, key, name);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

 private:
  static void set_name(X509_NAME* to, const std::string& name) {
    X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  }
  X509* make(const std::string& name, EVP_PKEY* key, const std::string& alternatives) const {
    static long serial = 1;
    X509* out = X509_new();
    X509_set_version(out, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(out), -60);
    X509_gmtime_adj(X509_getm_notAfter(out), 24L * 3600);
    X509_set_pubkey(out, key);
    set_name(X509_get_subject_name(out), name);
    set_name(X509_get_issuer_name(out), name_);
    if (name == name_) extend(out, NID_basic_constraints, "critical,CA:TRUE");
    if (!alternatives.empty()) extend(out, NID_subject_alt_name, alternatives);
    X509_sign(out, key_, EVP_sha256());
    return out;
  }
  static void extend(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  void write(X509* certificate, EVP_PKEY* key_of_it, const std::string& name) const {
    FILE* file = std::fopen(cert(name).c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key(name).c_str(), "w");
    PEM_write_PrivateKey(file, key_of_it, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }

  std::string folder_, name_;
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
};

}  // namespace weir::fake
