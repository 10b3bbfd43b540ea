"""Do the built programs have the protections of cmake/Hardening.cmake? readelf tells.

HELLOCNN_TEST_BINARIES    programs and modules, between colons
HELLOCNN_TEST_OBJECTS     object files of this project, between colons
HELLOCNN_TEST_COMPILER    the C++ compiler
HELLOCNN_TEST_HARDENING   ON or OFF
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

# The protections of control flow, as readelf names them.
CONTROL_FLOW = {"x86-64": ("IBT", "SHSTK"), "AArch64": ("BTI", "PAC")}
START_FILES = ("Scrt1.o", "crti.o", "crtbeginS.o", "crtendS.o", "crtn.o")


def readelf(*arguments):
    command = ["readelf", "--wide", *arguments]
    return subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, check=True, stdout=subprocess.PIPE, text=True).stdout


def machine(path):
    return "x86-64" if re.search(r"Machine: .*X86-64", readelf("--file-header", path)) else "AArch64"


def lacks_control_flow(path):
    """Those protections of control flow that the file, an object file or a program, does not say that it has."""
    features = " ".join(re.findall(r"(?:x86|AArch64) feature: (.*)", readelf("--notes", path)))
    return [name for name in CONTROL_FLOW[machine(path)] if name not in features]


def start_files_have_control_flow(compiler):
    """Whether the files that the compiler links into every program have it. The linker drops it from a program if one has not."""
    for name in START_FILES:
        command = [compiler, f"-print-file-name={name}"]
        path = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        if not os.path.isfile(path) or lacks_control_flow(path):
            return False
    return True


def lacks(path):
    """The protections that a program or a module does not have."""
    dynamic = readelf("--dynamic", path)
    segments = readelf("--program-headers", path)
    flags = " ".join(re.findall(r"\(FLAGS(?:_1)?\) +(.*)", dynamic))
    imported = re.findall(r" UND (\w+)", readelf("--dyn-syms", path))
    stack = re.search(r"GNU_STACK .* (\S+) +0x\w+$", segments, re.MULTILINE)
    is_module = path.endswith(".so")
    has = {
        "PIE": "DYN" in readelf("--file-header", path) and (is_module or "PIE" in flags),
        "RELRO": "GNU_RELRO" in segments,
        "BIND_NOW": "BIND_NOW" in flags or "NOW" in flags.split(),
        "a stack without code": stack is not None and "E" not in stack[1],
        "the stack protector": "__stack_chk_fail" in imported,
        # The module calls no function that has a checked form.
        "_FORTIFY_SOURCE": is_module or any(re.fullmatch(r"__\w+_chk", name) for name in imported),
    }
    return [name for name, found in has.items() if not found]


@unittest.skipUnless(os.environ.get("HELLOCNN_TEST_HARDENING") == "ON", "built without HELLOCNN_HARDENING, or with sanitizers")
@unittest.skipUnless(shutil.which("readelf"), "no readelf")
class BinariesTest(unittest.TestCase):
    def test_every_binary_has_every_protection(self):
        binaries = os.environ["HELLOCNN_TEST_BINARIES"].split(":")
        self.assertGreaterEqual(len(binaries), 3)
        for path in binaries:
            with self.subTest(os.path.basename(path)):
                self.assertEqual(lacks(path), [])

    def test_own_code_protects_its_control_flow(self):
        for path in os.environ["HELLOCNN_TEST_OBJECTS"].split(":"):
            with self.subTest(os.path.basename(path)):
                self.assertEqual(lacks_control_flow(path), [])

    def test_binaries_say_so_if_the_start_files_do(self):
        if not start_files_have_control_flow(os.environ["HELLOCNN_TEST_COMPILER"]):
            self.skipTest("the C library's start files have no protection of control flow")
        for path in os.environ["HELLOCNN_TEST_BINARIES"].split(":"):
            with self.subTest(os.path.basename(path)):
                self.assertEqual(lacks_control_flow(path), [])


@unittest.skipUnless(shutil.which("readelf"), "no readelf")
class CheckerCanFailTest(unittest.TestCase):
    # The stack protector guards the array, and _FORTIFY_SOURCE checks the copy, whose size is not known before it runs.
    PROGRAM = """
        #include <cstring>
        int main(int argc, char** argv) {
          char copy[16];
          std::memcpy(copy, argv[0], static_cast<std::size_t>(argc));
          return copy[argc % 16];
        }
    """

    def lacks_with(self, *flags):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "program")
            command = [os.environ["HELLOCNN_TEST_COMPILER"], "-O2", "-U_FORTIFY_SOURCE", "-x", "c++", "-", "-o", path, *flags]
            subprocess.run(command, input=self.PROGRAM, text=True, check=True)
            return lacks(path)

    ALL = ("-fPIE", "-pie", "-Wl,-z,relro,-z,now,-z,noexecstack", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2")

    def test_a_program_with_all_protections_passes(self):
        self.assertEqual(self.lacks_with(*self.ALL), [])

    def test_each_protection_is_missed(self):
        for name, flag in {
            "PIE": "-no-pie",
            "RELRO": "-Wl,-z,norelro",
            "BIND_NOW": "-Wl,-z,lazy",
            "a stack without code": "-Wl,-z,execstack",
            "the stack protector": "-fno-stack-protector",
            "_FORTIFY_SOURCE": "-U_FORTIFY_SOURCE",
        }.items():
            with self.subTest(name):
                self.assertEqual(self.lacks_with(*self.ALL, flag), [name])


if __name__ == "__main__":
    unittest.main()
