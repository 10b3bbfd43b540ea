// The server's options file. Input: the file of --config.
#include "absl/strings/str_cat.h"
#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "server/config/options.h"

namespace hellocnn::fuzz {
namespace {

using server::ParsedOptions;

absl::StatusOr<ParsedOptions> Parse(const std::string& path) {
  const std::string config = "--config=" + path;
  const char* const argv[] = {"hellocnn-server", config.c_str(), "--print-config"};
  return server::ParseOptions(3, argv);
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  static auto* const file = new fuzz::MemoryFile();
  file->Write(fuzz::AsString(data, size));
  const auto parsed = fuzz::Parse(file->path());
  if (!parsed.ok()) {
    fuzz::RequireGoodError(parsed.status(), "");
    fuzz::Require(parsed.status().message().find(file->path()) != absl::string_view::npos,
                  "message does not name the file", parsed.status().ToString());
    return 0;
  }
  const absl::Status valid = parsed->options.Validate();
  fuzz::Require(valid.ok(), "options that are taken are not valid", valid.ToString());
  // --print-config promises such a file.
  file->Write(parsed->text);
  const auto again = fuzz::Parse(file->path());
  fuzz::Require(again.ok(), "the printed options are refused",
                absl::StrCat(again.status().ToString(), parsed->text));
  for (std::size_t i = 0; i < parsed->sources.size(); ++i) {
    fuzz::Require(again->sources[i].value == parsed->sources[i].value,
                  "the printed options give another value", parsed->text);
  }
  return 0;
}
