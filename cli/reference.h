// Lists the options of every command, for the documents.
#ifndef HELLOCNN_CLI_REFERENCE_H_
#define HELLOCNN_CLI_REFERENCE_H_

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

// Returns a heading and tables of options for the program and for each of its commands, as
// Markdown. The texts come from CLI11, so nothing has to be listed twice. Hidden options, --help
// and --version are left out; the last two need no explanation.
std::string MarkdownReference(const CLI::App& program);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_REFERENCE_H_
