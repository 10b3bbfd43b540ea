#include "server/tls/certificate_names.h"

#include <gmock/gmock.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

// A certificate with these alternative names, as openssl's files of extensions have them; "" for
// none.
Certificate CertificateWith(const std::string& names) {
  Certificate made(X509_new(), &X509_free);
  if (names.empty()) return made;
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  EXPECT_NE(extension, nullptr) << names;
  X509_add_ext(made.get(), extension, -1);
  X509_EXTENSION_free(extension);
  return made;
}

// The same with one name of this type and these bytes, which need be no text.
Certificate CertificateWithBytes(int type, const std::string& bytes) {
  Certificate made(X509_new(), &X509_free);
  ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size()));
  GENERAL_NAME* const name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, text);
  GENERAL_NAMES* const names = GENERAL_NAMES_new();
  sk_GENERAL_NAME_push(names, name);
  X509_add1_ext_i2d(made.get(), NID_subject_alt_name, names, 0, 0);
  GENERAL_NAMES_free(names);
  return made;
}

TEST(CertificateNamesTest, EachNameHasItsKind) {
  const Certificate certificate = CertificateWith(
      "DNS:Shop.Example,URI:spiffe://example.org/Shop,email:Ann@shop.example,IP:10.0.0.1,"
      "IP:2001:db8:0:0::1");
  EXPECT_THAT(CertificateNames(certificate.get()),
              ElementsAre("DNS:shop.example", "URI:spiffe://example.org/Shop",
                          "email:Ann@shop.example", "IP:10.0.0.1", "IP:2001:db8::1"));
}

TEST(CertificateNamesTest, ACertificateWithoutNamesHasNone) {
  EXPECT_THAT(CertificateNames(CertificateWith("").get()), IsEmpty());
}

TEST(CertificateNamesTest, NamesOfOtherKindsAreLeftOut) {
  EXPECT_THAT(CertificateNames(CertificateWith("RID:1.2.3.4,DNS:a.example").get()),
              ElementsAre("DNS:a.example"));
}

TEST(CertificateNamesTest, NamesThatWouldReadAsOthersAreLeftOut) {
  for (const std::string& bytes :
       {std::string("shop.example\0.evil.example", 26), std::string("shop.example\nx"),
        std::string("shop example"), std::string("shop.ex\xc3\xa4mple"), std::string()}) {
    for (const int type : {GEN_DNS, GEN_URI, GEN_EMAIL}) {
      EXPECT_THAT(CertificateNames(CertificateWithBytes(type, bytes).get()), IsEmpty()) << bytes;
    }
  }
  EXPECT_THAT(CertificateNames(CertificateWithBytes(GEN_DNS, "shop.example").get()),
              ElementsAre("DNS:shop.example"));
}

TEST(CertificateNamesTest, ADamagedExtensionHasNoNames) {
  const Certificate certificate(X509_new(), &X509_free);
  ASN1_OCTET_STRING* const bytes = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(bytes, reinterpret_cast<const unsigned char*>("0\x7f no"), 5);
  X509_EXTENSION* const extension =
      X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 0, bytes);
  X509_add_ext(certificate.get(), extension, -1);
  EXPECT_THAT(CertificateNames(certificate.get()), IsEmpty());
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(bytes);
}

}  // namespace
}  // namespace hellocnn::server
