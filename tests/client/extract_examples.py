#!/usr/bin/env python3
"""Makes C++ of the examples in documents and in the comments of headers, so that they are compiled.

    extract_examples.py OUTPUT.cc LEAST FILE…     fails if it finds fewer than LEAST examples
    extract_examples.py --program FILE.md FOLDER  writes a document's program and its CMake file, as they stand

In a header, an example is a run of comment lines that are indented by three spaces or more; in a Markdown document, a `cpp` block.
Each becomes the body of a function that has what all examples take for granted. A `cpp` block with a main function is a
program; the name of its file is that in the document's `cmake` block.
"""

import os
import re
import sys

PROLOGUE = """#include <cstdint>
#include <future>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "hellocnn/client/batching_client.h"
#include "hellocnn/client/client.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::client {
"""

FUNCTION = """
void Example{number}([[maybe_unused]] const Client& client, [[maybe_unused]] const std::vector<Image>& images,
               [[maybe_unused]] const std::vector<std::uint8_t>& pixels,
               [[maybe_unused]] const Client::ClassifyCallback& callback) {{
  {{
#line {line} "{path}"
{body}
  }}
}}
"""


MAIN = "int main("


def write_program(document, folder):
    """Writes the one program of a document into the folder, and CMakeLists.txt beside it."""
    with open(document, encoding="utf-8") as file:
        text = file.read()
    blocks = {language: re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) for language in ("cpp", "cmake")}
    (program,) = [block for block in blocks["cpp"] if MAIN in block]
    (build,) = [block for block in blocks["cmake"] if "add_executable(" in block]
    name = re.search(r"add_executable\(\S+ (\S+)\)", build)[1]
    for path, content in ((name, program), ("CMakeLists.txt", build)):
        with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
            file.write(content)


def examples_of(path):
    """Yields (line number, code) for each example."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    if path.endswith(".md"):
        text = "\n".join(lines)
        for match in re.finditer(r"^```cpp\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if MAIN not in match.group(1):
                yield text.count("\n", 0, match.start()) + 2, match.group(1).splitlines()
        return
    run = []
    for number, line in enumerate([*lines, ""], start=1):
        match = re.match(r"\s*//   (.*)$", line)
        if match:
            run.append(match.group(1))
        elif run:
            yield number - len(run), run
            run = []


def main(arguments):
    if arguments[0] == "--program":
        write_program(*arguments[1:])
        return 0
    output, least, *paths = arguments
    parts = [PROLOGUE]
    for path in paths:
        for line, code in examples_of(path):
            # Includes cannot stand in a function; blank lines keep the numbers right.
            body = "\n".join("" if text.startswith("#include") else text for text in code)
            parts.append(FUNCTION.format(number=len(parts), line=line, path=path, body=body))
    if len(parts) - 1 < int(least):
        print(f"found {len(parts) - 1} examples, wanted at least {least}", file=sys.stderr)
        return 1
    with open(output, "w", encoding="utf-8") as file:
        file.write("".join(parts) + "\n}  // namespace hellocnn::client\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
