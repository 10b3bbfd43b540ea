// The options of commands that read labelled images.
#ifndef HELLOCNN_CLI_COMMANDS_LOAD_IMAGES_OPTIONS_H_
#define HELLOCNN_CLI_COMMANDS_LOAD_IMAGES_OPTIONS_H_

#include "datasets/labelled_images.h"

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

// Adds --first-label, --fit, --invert and --transpose, which set `options`. It must outlive
// parsing.
void AddLoadImagesOptions(CLI::App& command, LoadOptions& options);

// Prints what LoadLabelledImages has to say of the data to standard error.
void PrintNotes(const LoadedImages& loaded);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_LOAD_IMAGES_OPTIONS_H_
