"""Runs the TestCase classes of a module side by side, each in a process of its own, for tests that mostly wait.

    tests/side_by_side.py restarts_test [Class …]

Prints the output of each when it has ended, indented, and then the sum in the words of unittest.
"""

import re
import subprocess
import sys
import threading
import time
import unittest


def classes_of(module):
    """The names of the classes with tests, in the order of the alphabet."""
    names = set()

    def collect(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                collect(test)
            else:
                names.add(type(test).__name__)

    collect(unittest.defaultTestLoader.loadTestsFromName(module))
    return sorted(names)


def run(module, name, ended, lock):
    start = time.monotonic()
    command = [sys.executable, "-B", "-m", "unittest", "--verbose", f"{module}.{name}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    with lock:
        ended[name] = done
        print(f"{name}, {time.monotonic() - start:.0f} s")
        print("".join(f"  {line}\n" for line in done.stdout.splitlines()), flush=True)


def main(module, names):
    names = names or classes_of(module)
    ended, lock, start = {}, threading.Lock(), time.monotonic()
    threads = [threading.Thread(target=run, args=(module, name, ended, lock)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def total(pattern):
        return sum(int(number) for done in ended.values() for number in re.findall(pattern, done.stdout, re.MULTILINE))

    failed = max(total(r"^FAILED .*failures=(\d+)") + total(r"^FAILED .*errors=(\d+)"), sum(done.returncode != 0 for done in ended.values()))
    counts = {"failures": failed, "skipped": total(r"^(?:OK|FAILED) .*skipped=(\d+)")}
    shown = ", ".join(f"{kind}={count}" for kind, count in counts.items() if count)
    print(f"Ran {total(r'^Ran ([0-9]+) tests? in')} tests in {time.monotonic() - start:.3f}s\n")
    print(("FAILED" if failed else "OK") + (f" ({shown})" if shown else ""))
    return 1 if failed or len(ended) < len(names) or not names else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
