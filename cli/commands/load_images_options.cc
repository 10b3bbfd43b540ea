#include "cli/commands/load_images_options.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "base/shown.h"
#include "cli/commands/mending.h"

namespace hellocnn::cli {

void AddLoadImagesOptions(CLI::App& command, LoadOptions& options) {
  command
      .add_option("--first-label", options.first_label,
                  "the label of class 0 in IDX files and arrays, as 1 in EMNIST's letters; 0 by "
                  "default, or what EMNIST's mapping file says")
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("N");
  command
      .add_option_function<std::string>(
          "--fit",
          [&options](const std::string& fit) {
            options.fit = fit == "mnist" ? client::Fit::kMnist : client::Fit::kAsIs;
          },
          "how pictures become images; by default as mnist, but 28x28 and 32x32 in grey are left "
          "as "
          "they are")
      ->check(CLI::IsMember({"mnist", "as-is"}))
      ->type_name("FIT");
  AddMendingOptions(command, options.mending);
}

void PrintNotes(const LoadedImages& loaded) {
  for (const std::string& note : loaded.notes) {
    std::cerr << "hellocnn: note: " << Printable(note) << "\n";
  }
}

}  // namespace hellocnn::cli
