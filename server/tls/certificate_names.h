// The names in a certificate, as text.
#ifndef HELLOCNN_SERVER_TLS_CERTIFICATE_NAMES_H_
#define HELLOCNN_SERVER_TLS_CERTIFICATE_NAMES_H_

#include <openssl/types.h>

#include <string>
#include <vector>

namespace hellocnn::server {

// Returns the subject alternative names of a certificate, each with its kind:
//   "DNS:shop.example", in lower case
//   "URI:spiffe://example.org/shop"
//   "email:ann@shop.example"
//   "IP:10.0.0.1" or "IP:2001:db8::1"
// Names of other kinds are left out, and so are names that are not printable ASCII. The result is
// empty if there are none. The subject is no such name.
std::vector<std::string> CertificateNames(const X509* certificate);

// Returns bytes that stand for whom the certificate is for: its subject and its alternative names,
// as DER. A renewed certificate has the same.
std::string PrincipalOf(const X509* certificate);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_TLS_CERTIFICATE_NAMES_H_
