#!/usr/bin/env python3
"""Shows every C++ file of a build folder to Clang, with its warnings (the thread-safety analysis too) as errors.

    tests/check_with_clang.py BUILD_FOLDER [--no-tidy] [--jobs N]

Code that is shipped goes through clang-tidy, which reports the compiler's own warnings as well; tests go through the compiler
alone, which stops before it generates code. BUILD_FOLDER is configured with Clang and built (the `tidy` preset), for the files
that a build generates, the precompiled headers and the plugin. With --no-tidy the compiler alone checks everything.

Prints what is wrong, then the number of files and the slowest ones. Exits with 1 if a file has an error.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

SHIPPED = ("base", "hellocnn", "datasets", "server", "client", "loadgen", "cli")


def is_several(path):
    """Whether a file only includes others, which are compiled at once. Tests are."""
    return path.parent.name == "Unity" and "tests" in path.parts


def read_commands(build):
    """Returns the first compile command of each own file, by its path."""
    source = pathlib.Path(__file__).resolve().parent.parent
    own, commands = {}, json.loads((build / "compile_commands.json").read_text())
    for entry in commands:
        path = pathlib.Path(entry["directory"], entry["file"])
        # What the build generates is not ours, but for the files that include several tests at once.
        inside = source in path.parents and build.resolve() not in path.resolve().parents
        if inside or is_several(path):
            own.setdefault(path, entry)
    return source, own


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, metavar="BUILD_FOLDER")
    parser.add_argument("--no-tidy", action="store_true", help="the compiler alone checks everything")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="files at a time; one a CPU if not given")
    options = parser.parse_args()

    source, own = read_commands(options.build)
    if not own:
        sys.exit(f"check_with_clang.py: {options.build}/compile_commands.json names no file of {source}")
    tidy_folder = options.build / "clang-tidy"
    tidy_folder.mkdir(exist_ok=True)
    (tidy_folder / "compile_commands.json").write_text(json.dumps(list(own.values())))
    plugin = options.build / "tests" / "hellocnn_own_code.so"
    if not options.no_tidy and not plugin.exists():
        sys.exit(f"check_with_clang.py: there is no {plugin}, which the target hellocnn_own_code makes; it needs libclang-dev")

    def check(path):
        entry = own[path]
        shipped = source in path.parents and path.relative_to(source).parts[0] in SHIPPED
        if shipped and not options.no_tidy:
            command = ["clang-tidy", f"--load={plugin.resolve()}", "-p", str(tidy_folder), "--quiet", "--warnings-as-errors=*", str(path)]
        else:
            command = shlex.split(entry["command"])
            command = command[next(i for i, word in enumerate(command) if "clang" in word):]  # a compiler cache may stand before
            output = command.index("-o")
            del command[output:output + 2]
            command[command.index("-c")] = "-fsyntax-only"
        start = time.monotonic()
        result = subprocess.run(command, cwd=entry["directory"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode != 0:
            print(f"{path}: {command[0]} exited with {result.returncode}:\n{result.stdout}", flush=True)
        return result.returncode == 0, time.monotonic() - start

    # What takes long comes first, so that no CPU is left alone with one file at the end.
    paths = sorted(own, key=lambda path: (is_several(path), path.stat().st_size), reverse=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = dict(zip(paths, pool.map(check, paths)))
    bad = [path for path in paths if not results[path][0]]
    slowest = sorted(paths, key=lambda path: results[path][1], reverse=True)[:5]
    print(f"{len(paths)} files, {len(bad)} with errors; slowest: "
          + ", ".join(f"{path.name} {results[path][1]:.0f} s" for path in slowest))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
