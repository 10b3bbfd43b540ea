// An authority whose certificates are made in the process, for tests.
#ifndef HELLOCNN_TESTS_SERVER_TLS_AUTHORITY_H_
#define HELLOCNN_TESTS_SERVER_TLS_AUTHORITY_H_

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstddef>
#include <memory>
#include <string>

#include "server/tls/client_names.h"
#include "server/tls/tls_context.h"
#include "tests/testing/files.h"

namespace hellocnn::server {

using TestCertificate = std::unique_ptr<X509, decltype(&X509_free)>;
using TestKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// A certificate with its key.
struct TestIdentity {
  TestCertificate certificate{X509_new(), &X509_free};
  TestKey key{EVP_EC_gen("P-256"), &EVP_PKEY_free};

  std::string Der() const {
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate.get(), &bytes);
    std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
  }
};

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "authority") {
    Fill(name, "", own_.certificate.get(), own_.key.get(), -7200, 7200);
  }

  // Returns a certificate with these alternative names, or without if "". It is valid in the time
  // between, in seconds from now.
  TestIdentity Issue(const std::string& names, long from = -3600, long to = 3600) const {
    TestIdentity made;
    Fill("leaf", names, made.certificate.get(), made.key.get(), from, to);
    return made;
  }

  const TestIdentity& own() const { return own_; }

 private:
  void Fill(const std::string& name, const std::string& names, X509* to, EVP_PKEY* key, long from,
            long until) const {
    X509_set_version(to, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(to), 1);
    X509_gmtime_adj(X509_getm_notBefore(to), from);
    X509_gmtime_adj(X509_getm_notAfter(to), until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(to), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(to, X509_get_subject_name(own_.certificate.get()));
    X509_set_pubkey(to, key);
    Add(NID_basic_constraints, to == own_.certificate.get() ? "CA:TRUE" : "CA:FALSE", to);
    if (!names.empty()) Add(NID_subject_alt_name, names, to);
    X509_sign(to, own_.key.get(), EVP_sha256());
  }
  static void Add(int kind, const std::string& value, X509* to) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    ASSERT_NE(extension, nullptr) << value;
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
  }

  TestIdentity own_;
};

// Returns the certificate, or the key, in PEM.
inline std::string PemOf(const TestIdentity& identity, bool key = false) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  if (key) {
    PEM_write_bio_PrivateKey(bio.get(), identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  } else {
    PEM_write_bio_X509(bio.get(), identity.certificate.get());
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

// Writes the files of a server that asks its clients for certificates of `authority`.
inline TlsFiles WriteFiles(const TemporaryDirectory& folder, const TestAuthority& authority,
                           const std::string& client_names = "off") {
  const TestIdentity server = authority.Issue("DNS:localhost");
  return {.certificate = folder.Write("server.pem", PemOf(server)),
          .key = folder.Write("server.key", PemOf(server, /*key=*/true)),
          .client_ca = folder.Write("authority.pem", PemOf(authority.own())),
          .client_names = ClientNames::Parse(client_names).value()};
}

// Returns a client's end of TLS on a connected socket, with the handshake to do.
inline std::unique_ptr<SSL, decltype(&SSL_free)> MakeTestClient(int socket,
                                                                const TestIdentity* identity,
                                                                const std::string& protocol) {
  std::signal(SIGPIPE, SIG_IGN);  // of writing to a server that has rejected
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  if (identity != nullptr) {
    SSL_CTX_use_certificate(context, identity->certificate.get());
    SSL_CTX_use_PrivateKey(context, identity->key.get());
  }
  std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(context), &SSL_free);
  SSL_CTX_free(context);
  SSL_set_fd(client.get(), socket);
  const std::string offer = static_cast<char>(protocol.size()) + protocol;
  SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(offer.data()),
                      static_cast<unsigned>(offer.size()));
  return client;
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_TLS_AUTHORITY_H_
