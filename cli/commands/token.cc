// hellocnn token: makes tokens for servers with access control, and prints their checksums.
#include "client/token.h"

#include <sys/random.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/commands/model_commands.h"
#include "hellocnn/formats/checksum.h"

namespace hellocnn::cli {
namespace {

constexpr char kTokenExamples[] = R"(
The client keeps the token in a file. The server's access file has only the SHA-256
of it, from which nobody can find the token.

Examples:
  hellocnn token new --output token     prints what the access file wants
  hellocnn token hash --token-file token
  hellocnn --token-file token models)";

constexpr char kNewExamples[] = R"(
The token has 256 random bits. Its file is new and readable by its owner only.
Prints the member "token_sha256" of an entry in the server's access file.

Examples:
  hellocnn token new --output token
  HELLOCNN_TOKEN_FILE=token hellocnn models)";

constexpr char kHashExamples[] = R"(
Prints the SHA-256 of the token, without the end of its line, in hexadecimal, as
"token_sha256" in the server's access file wants it.

Examples:
  hellocnn token hash --token-file token)";

constexpr std::size_t kRandomBytes = 32;

// Returns a new token of letters, digits, - and _.
absl::StatusOr<std::string> NewToken() {
  std::string bytes(kRandomBytes, '\0');
  // So few bytes arrive whole, once the system has gathered enough to begin with.
  ssize_t got = 0;
  do {
    got = getrandom(bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(bytes.size())) {
    return absl::ErrnoToStatus(got < 0 ? errno : EIO, "the system gives no random bytes");
  }
  return absl::WebSafeBase64Escape(bytes);
}

int RunNew(const std::string& output) {
  const absl::StatusOr<std::string> token = NewToken();
  if (!token.ok()) return Fail(token.status());
  const absl::StatusOr<std::string> hash = Sha256Of(*token);
  if (!hash.ok()) return Fail(hash.status());
  if (absl::Status written = WriteNewPrivateFile(output, *token + "\n"); !written.ok()) {
    return Fail(written);
  }
  std::cout << "\"token_sha256\": \"" << *hash << "\"\n";
  return kExitOk;
}

int RunHash(const GlobalOptions& global) {
  if (global.token_file.empty() && global.token.empty()) {
    std::cerr << "hellocnn: --token-file is missing: it names the file with the token\n";
    return kExitUsage;
  }
  absl::StatusOr<std::string> token = global.token;
  if (!global.token_file.empty()) token = client::ReadToken(global.token_file);
  if (token.ok()) {
    if (absl::Status good = client::CheckToken(*token, "HELLOCNN_TOKEN"); !good.ok()) token = good;
  }
  if (!token.ok()) return Fail(token.status());
  const absl::StatusOr<std::string> hash = Sha256Of(*token);
  if (!hash.ok()) return Fail(hash.status());
  std::cout << *hash << "\n";
  return kExitOk;
}

}  // namespace

void AddToken(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand(
      "token", "Makes tokens for servers with access control, and prints their checksums");
  command->footer(kTokenExamples);
  command->require_subcommand(1);

  CLI::App* made = command->add_subcommand("new", "Makes a token and writes it to a new file");
  made->footer(kNewExamples);
  auto output = std::make_shared<std::string>();
  made->add_option("--output", *output, "new file for the token")
      ->check(CLI::Validator(CheckNotEmpty, "", "not empty"))
      ->type_name("FILE")
      ->required();
  made->callback([&action, output] {
    action = WithoutServer("hellocnn token new", [output] { return RunNew(*output); });
  });

  CLI::App* hash = command->add_subcommand("hash", "Prints the SHA-256 of a token");
  hash->footer(kHashExamples);
  hash->callback([&global, &action] {
    action = WithoutServer("hellocnn token hash", [&global] { return RunHash(global); });
    action.unused.erase(std::remove(action.unused.begin(), action.unused.end(), "--token-file"),
                        action.unused.end());
  });
}

}  // namespace hellocnn::cli
