"""What CMake says of a LibTorch that this project cannot use: cmake/LibTorch.cmake, with packages that are made up.

HELLOCNN_TEST_CMAKE    the program cmake
HELLOCNN_TEST_SOURCE   the source tree
"""

import os
import re
import subprocess
import tempfile
import unittest

CMAKE = os.environ["HELLOCNN_TEST_CMAKE"]
SOURCE = os.environ["HELLOCNN_TEST_SOURCE"]

# A project that needs no compiler.
PROJECT = f"""
cmake_minimum_required(VERSION 3.25)
project(libtorch_test LANGUAGES NONE)
list(APPEND CMAKE_MODULE_PATH {SOURCE}/cmake)
# Only what is made up is found.
set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH OFF)
set(CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH OFF)
set(CMAKE_FIND_USE_PACKAGE_REGISTRY OFF)
include(LibTorch)
message(STATUS "took ${{Torch_VERSION}} with ${{TORCH_CXX_FLAGS}}")
"""

CONFIG = """
add_library(torch INTERFACE IMPORTED)
set(TORCH_LIBRARIES torch)
set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=1")
set(Torch_FOUND TRUE)
"""

VERSION = """
set(PACKAGE_VERSION "{}")
set(PACKAGE_VERSION_COMPATIBLE TRUE)
"""


class LibTorchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.root = os.path.join(self.folder, "libtorch")
        self.write("project/CMakeLists.txt", PROJECT)

    def write(self, path, text=""):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def make_torch(self, config=CONFIG, version="2.7.1", place="share/cmake/Torch"):
        self.place = os.path.join(self.root, place)
        self.write(f"libtorch/{place}/TorchConfig.cmake", config)
        self.write(f"libtorch/{place}/TorchConfigVersion.cmake", VERSION.format(version))

    def configure(self, *arguments):
        command = [CMAKE, "-S", os.path.join(self.folder, "project"), "-B", os.path.join(self.folder, "build"), *arguments]
        environment = {k: v for k, v in os.environ.items() if k not in ("CMAKE_PREFIX_PATH", "Torch_DIR")}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, re.sub(r"\s+", " ", done.stdout)

    def assert_stops(self, found, *arguments):
        arguments = arguments or (f"-DCMAKE_PREFIX_PATH={self.root}",)
        status, output = self.configure(*arguments)
        self.assertNotEqual(status, 0, output)
        for part in (found, "Wanted: LibTorch 1.13 or later, for the CPU, with the C++11 ABI.", "install Debian's libtorch-dev", "-DHELLOCNN_BUILD_TORCH=OFF"):
            self.assertIn(part, output)
        self.assertEqual(output.count("CMake Error"), 1, output)

    def test_a_good_one_is_taken_by_prefix_or_by_folder(self):
        for place in ("share/cmake/Torch", "lib/cmake/Torch"):
            self.make_torch(place=place)
            for argument in (f"-DCMAKE_PREFIX_PATH={self.root}", f"-DTorch_DIR={self.place}"):
                with self.subTest(argument):
                    status, output = self.configure("--fresh", argument)
                    self.assertEqual(status, 0, output)
                    self.assertIn("took 2.7.1 with -D_GLIBCXX_USE_CXX11_ABI=1", output)

    def test_none_at_all(self):
        self.assert_stops("No LibTorch was found", "-DCMAKE_PREFIX_PATH=/nowhere")

    def test_cuda_is_named_before_its_own_error(self):
        for library in ("libtorch_cuda.so", "libc10_cuda.so", "libtorch_hip.so"):
            with self.subTest(library):
                self.make_torch('message(FATAL_ERROR "PyTorch: CUDA cannot be found.")')
                self.write(f"libtorch/lib/{library}")
                self.assert_stops(f"The LibTorch in {self.root} is for GPUs: it has lib/{library}.")
                self.assert_stops(f"it has lib/{library}.", "--fresh", f"-DTorch_DIR={self.place}")
                os.remove(os.path.join(self.root, "lib", library))

    def test_cuda_that_is_found_some_other_way(self):
        self.make_torch(CONFIG + "add_library(torch_cuda INTERFACE IMPORTED)\n")
        self.assert_stops("is for GPUs.")

    def test_the_abi_from_before_cxx11(self):
        self.make_torch(CONFIG.replace("ABI=1", "ABI=0"))
        self.assert_stops("has the ABI from before C++11 (_GLIBCXX_USE_CXX11_ABI=0)")

    def test_the_abi_in_a_file_that_the_package_includes(self):
        for kind, value in (("OPTIONS", "-D_GLIBCXX_USE_CXX11_ABI=0"), ("DEFINITIONS", "_GLIBCXX_USE_CXX11_ABI=0")):
            with self.subTest(kind):
                self.make_torch(CONFIG + "include(${CMAKE_CURRENT_LIST_DIR}/Targets.cmake)\n")
                self.write("libtorch/share/cmake/Torch/Targets.cmake", f"set_target_properties(torch PROPERTIES INTERFACE_COMPILE_{kind} {value})\n")
                self.assert_stops("has the ABI from before C++11")

    def test_a_version_that_is_too_old(self):
        self.make_torch('message(FATAL_ERROR "This CMake is too new.")', version="1.12.1")
        self.assert_stops(f"The LibTorch in {self.root} is version 1.12.1, which is too old.")

    def test_what_the_package_itself_complains_of_is_passed_on(self):
        self.make_torch('set(Torch_FOUND FALSE)\nset(Torch_NOT_FOUND_MESSAGE "MKL is missing")\n')
        self.assert_stops("cannot be used. CMake says: MKL is missing")

    def test_another_one_is_taken_after_the_advice(self):
        self.make_torch(CONFIG.replace("ABI=1", "ABI=0"))
        prefix = f"-DCMAKE_PREFIX_PATH={self.root}"
        self.assert_stops("ABI=0", prefix)
        os.rename(self.root, f"{self.root}_old")
        self.make_torch()
        status, output = self.configure(prefix, "-UTorch_DIR")
        self.assertEqual(status, 0, output)


if __name__ == "__main__":
    unittest.main()
