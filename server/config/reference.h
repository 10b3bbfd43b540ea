// What the program says of its options: --help, which is also the manual page, the table in the
// documents, and --print-config. Pure functions of the rows.
#ifndef HELLOCNN_SERVER_CONFIG_REFERENCE_H_
#define HELLOCNN_SERVER_CONFIG_REFERENCE_H_

#include <string>
#include <vector>

#include "server/config/option_row.h"
#include "server/config/options.h"

namespace hellocnn::server {

// Returns the usage text: each option under the heading of its group, with range, default and
// environment variable. Says nothing of this machine. Lines have at most 80 columns.
std::string HelpText(OptionRows rows);

// Returns a heading and a table for each group of options, and their details, as Markdown.
std::string MarkdownText(OptionRows rows);

// Returns a file of options with these values, and where each came from as a comment.
std::string ConfigText(const std::vector<OptionSource>& sources);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_REFERENCE_H_
