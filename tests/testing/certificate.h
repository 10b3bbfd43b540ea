// A certificate for tests, made on the spot, so that none can expire.
#ifndef HELLOCNN_TESTS_TESTING_CERTIFICATE_H_
#define HELLOCNN_TESTS_TESTING_CERTIFICATE_H_

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <functional>
#include <memory>
#include <string>

namespace hellocnn {

struct Certificate {
  std::string certificate;  // PEM; its own authority
  std::string key;          // PEM
};

// Returns a certificate for localhost and 127.0.0.1 that is valid for an hour.
inline Certificate MakeCertificate() {
  const auto pem = [](const std::function<int(BIO*)>& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
    EXPECT_EQ(write(memory.get()), 1);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &bytes);
    return std::string(bytes, static_cast<std::size_t>(size));
  };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  for (const auto& [kind, value] : {std::pair{NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1"},
                                    std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value), &X509_EXTENSION_free);
    EXPECT_EQ(X509_add_ext(made.get(), extension.get(), -1), 1);
  }
  EXPECT_GT(X509_sign(made.get(), key.get(), EVP_sha256()), 0);
  return {pem([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); }), pem([&](BIO* to) {
            return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace hellocnn

#endif  // HELLOCNN_TESTS_TESTING_CERTIFICATE_H_
