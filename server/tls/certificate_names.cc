#include "server/tls/certificate_names.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

using GeneralNames = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;

std::string_view BytesOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

// A zero byte or a line break could make a name look like another one.
bool IsPlain(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

// Returns the name with its kind, or "" if it is left out.
std::string TextOf(const GENERAL_NAME& name) {
  if (name.type == GEN_IPADD) {
    const std::string_view bytes = BytesOf(name.d.iPAddress);
    char text[INET6_ADDRSTRLEN] = "";
    if (bytes.size() == sizeof(in_addr)) {
      inet_ntop(AF_INET, bytes.data(), text, sizeof text);
    } else if (bytes.size() == sizeof(in6_addr)) {
      inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    }
    return *text == '\0' ? "" : absl::StrCat("IP:", text);
  }
  if (name.type != GEN_DNS && name.type != GEN_URI && name.type != GEN_EMAIL) return "";
  const std::string text(BytesOf(name.d.ia5));
  if (!IsPlain(text)) return "";
  if (name.type == GEN_DNS) return absl::StrCat("DNS:", absl::AsciiStrToLower(text));
  return absl::StrCat(name.type == GEN_URI ? "URI:" : "email:", text);
}

}  // namespace

std::vector<std::string> CertificateNames(const X509* certificate) {
  std::vector<std::string> texts;
  const GeneralNames names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
                               certificate, NID_subject_alt_name, nullptr, nullptr)),
                           &GENERAL_NAMES_free);
  if (names == nullptr) {
    ERR_clear_error();  // of an extension that is damaged
    return texts;
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    std::string text = TextOf(*sk_GENERAL_NAME_value(names.get(), i));
    if (!text.empty()) texts.push_back(std::move(text));
  }
  return texts;
}

std::string PrincipalOf(const X509* certificate) {
  const unsigned char* subject = nullptr;
  std::size_t size = 0;
  X509_NAME_get0_der(X509_get_subject_name(certificate), &subject, &size);
  std::string names(reinterpret_cast<const char*>(subject), size);
  const int other_names = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
  if (other_names >= 0) {
    names += BytesOf(X509_EXTENSION_get_data(X509_get_ext(certificate, other_names)));
  }
  return names;
}

}  // namespace hellocnn::server
