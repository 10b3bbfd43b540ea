// The list of clients that may connect.
#ifndef HELLOCNN_SERVER_TLS_CLIENT_NAMES_H_
#define HELLOCNN_SERVER_TLS_CLIENT_NAMES_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::server {

// Returns a name as CertificateNames writes it, of one that ClientNames::Parse takes.
// INVALID_ARGUMENT: it is none.
absl::StatusOr<std::string> CanonicalClientName(const std::string& text);

// Names of client certificates, of which a certificate must have one. Immutable and thread-safe.
class ClientNames {
 public:
  // Reads names, separated by commas. A name is
  //   - as CertificateNames writes it: "DNS:shop.example", "URI:spiffe://example.org/shop",
  //     "email:ann@shop.example", "IP:10.0.0.1";
  //   - or without its kind. A name with "://" is then a URI, one with "@" an e-mail address, an IP
  //     address is one, and all else is a DNS name.
  // Each is exactly one name: "*" stands for nothing else. "off" is no list. INVALID_ARGUMENT: a
  // name is empty or cannot be one of its kind; the message says which, and what was wanted.
  static absl::StatusOr<ClientNames> Parse(const std::string& text);
  // Allows every certificate.
  ClientNames() = default;

  // Returns true if there is no list, or one of the names, from CertificateNames, is on it.
  bool Allow(const std::vector<std::string>& names) const;

 private:
  std::set<std::string> names_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_TLS_CLIENT_NAMES_H_
