"""The packages for Debian that cpack makes of this build: cmake/Package.cmake.

HELLOCNN_TEST_BUILD    the folder of the build
HELLOCNN_TEST_CPACK    the program cpack
"""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from testbed import SOURCE, Server, request, run_server, stub

TOOLS = ("dpkg-deb", "dpkg-shlibdeps")

# Whoever builds a package puts an address there, with HELLOCNN_PACKAGE_MAINTAINER.
ADDRESS_TAGS = "bogus-mail-host,bogus-mail-host-in-debian-changelog"


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}")
    return done.stdout


@unittest.skipUnless(all(shutil.which(tool) for tool in TOOLS), f"no {' or '.join(TOOLS)}")
class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        build = os.environ["HELLOCNN_TEST_BUILD"]
        run(os.environ["HELLOCNN_TEST_CPACK"], "--config", f"{build}/CPackConfig.cmake", "-B", cls.folder.name)
        packages = glob.glob(f"{cls.folder.name}/*.deb")
        cls.torch = next((path for path in packages if "/hellocnn-server-torch_" in path), None)
        (cls.package,) = (path for path in packages if path != cls.torch)
        cls.root = f"{cls.folder.name}/root"
        run("dpkg-deb", "--extract", cls.package, cls.root)
        cls.control = f"{cls.folder.name}/control"
        run("dpkg-deb", "--control", cls.package, cls.control)

    def field(self, name, package=None):
        return run("dpkg-deb", "--field", package or self.package, name).strip()

    def test_it_has_a_name_a_version_and_the_libraries_of_its_programs(self):
        with open(f"{SOURCE}/CMakeLists.txt", encoding="utf-8") as file:
            version = re.search(r"project\(hellocnn VERSION (\S+)", file.read())[1]
        self.assertEqual(self.field("Package"), "hellocnn-server")
        self.assertEqual(self.field("Version"), f"{version}-1")
        self.assertTrue(os.path.basename(self.package).startswith(f"hellocnn-server_{version}-1_"))
        depends = self.field("Depends")
        for library in ("libc6", "libgrpc++", "libnghttp2", "libmicrohttpd", "libssl3", "procps"):
            self.assertIn(library, depends)
        self.assertNotIn("torch", depends)

    def test_libtorch_is_in_a_package_of_its_own(self):
        self.assertFalse(glob.glob(f"{self.root}/**/*torch*", recursive=True))
        if self.torch is None:
            self.skipTest("built without LibTorch")
        depends = self.field("Depends", self.torch)
        self.assertIn(f"hellocnn-server (= {self.field('Version')})", depends)
        self.assertIn("libtorch", depends)
        contents = run("dpkg-deb", "--contents", self.torch)
        self.assertIn("./usr/lib/hellocnn/hellocnn-torch.so", contents)
        self.assertIn("./usr/bin/hellocnn-train", contents)
        with tempfile.TemporaryDirectory() as root:
            for package in (self.package, self.torch):
                run("dpkg-deb", "--extract", package, root)
            with Server("--engine=torch", program=f"{root}/usr/bin/hellocnn-server", model=f"{root}/usr/share/hellocnn/models") as server:
                self.assertEqual(server.cli("health").stdout, "SERVING\n")

    def test_what_people_look_for_is_where_they_look(self):
        for path in (
            "etc/hellocnn/server.toml",
            "usr/bin/hellocnn",
            "usr/bin/hellocnn-convert",
            "usr/bin/hellocnn-server",
            "usr/lib/systemd/system/hellocnn-server.service",
            "usr/share/bash-completion/completions/hellocnn",
            "usr/share/doc/hellocnn-server/changelog.Debian.gz",
            "usr/share/doc/hellocnn-server/copyright",
            "usr/share/doc/hellocnn-server/docs/operations.md",
            "usr/share/doc/hellocnn-server/examples/tls.conf",
            "usr/share/hellocnn/models/mnist/2/model_card.json",
            "usr/share/zsh/vendor-completions/_hellocnn",
            "var/lib/hellocnn",
        ):
            self.assertTrue(os.path.exists(f"{self.root}/{path}"), path)
        if shutil.which("help2man"):
            self.assertTrue(os.path.exists(f"{self.root}/usr/share/man/man1/hellocnn-server.1.gz"))
        # Nothing that only who builds against the client needs.
        self.assertFalse(glob.glob(f"{self.root}/usr/include/*") + glob.glob(f"{self.root}/usr/lib/**/*.a", recursive=True))

    def test_the_configuration_survives_upgrades(self):
        with open(f"{self.control}/conffiles", encoding="utf-8") as file:
            self.assertEqual(file.read(), "/etc/hellocnn/server.toml\n")

    def test_its_scripts_are_scripts_of_the_shell(self):
        for name in ("postinst", "prerm", "postrm"):
            run("sh", "-n", f"{self.control}/{name}")
            self.assertTrue(os.access(f"{self.control}/{name}", os.X_OK), name)

    def test_files_belong_to_root_and_only_root_writes_them(self):
        for line in run("dpkg-deb", "--contents", self.package).splitlines():
            mode, owner = line.split()[:2]
            self.assertEqual(owner, "root/root", line)
            self.assertEqual((mode[5], mode[8]), ("-", "-"), line)

    def test_the_unpacked_server_serves_the_model_of_the_package(self):
        program = f"{self.root}/usr/bin/hellocnn-server"
        self.assertRegex(run(program, "--version"), r"^hellocnn-server \d")
        configuration = f"--config={self.root}/etc/hellocnn/server.toml"
        with Server(configuration, program=program, model=f"{self.root}/usr/share/hellocnn/models") as server, server.channel() as channel:
            self.assertEqual(len(stub(channel).Classify(request(3), timeout=30).predictions), 3)
            health = run(f"{self.root}/usr/bin/hellocnn", "health", "--server", server.address)
            self.assertEqual(health, "SERVING\n")

    def test_the_configuration_is_one_that_the_server_reads(self):
        done = run_server("--config", f"{self.root}/etc/hellocnn/server.toml", "--print-config")
        self.assertIn('"/var/lib/hellocnn/models"', done.stdout, done.stderr)

    @unittest.skipUnless(shutil.which("lintian"), "no lintian")
    def test_lintian_has_nothing_to_say(self):
        for package in filter(None, (self.package, self.torch)):
            said = run("lintian", "--fail-on", "none", "--suppress-tags", ADDRESS_TAGS, package)
            self.assertEqual([line for line in said.splitlines() if not line.startswith(("N:", "running with root"))], [])


if __name__ == "__main__":
    unittest.main()
