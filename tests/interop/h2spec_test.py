"""h2spec, which checks servers of HTTP/2, against the transport on libnghttp2 and against nghttpd, nghttp2's own server."""

import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from interop_bed import Program, find_tool, free_port, is_listening
from testbed import Server

# For answers that do not come.
ANSWER_SECONDS = 2


class H2specTest(unittest.TestCase):
    @unittest.skipUnless(find_tool("h2spec") and find_tool("nghttpd"), "no h2spec or no nghttpd: see scripts/fetch-interop.sh")
    def test_passes_what_nghttpd_passes(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "index.html"), "w", encoding="utf-8") as page:
                page.write("hello\n")
            port = free_port()
            with Program([find_tool("nghttpd"), "--no-tls", "--address=127.0.0.1", "-d", folder, str(port)]) as nghttpd:
                nghttpd.wait_until(lambda: is_listening(port), "a listener")
                wanted = self.passed(port, folder)
            with Server("--transport=http2") as server:
                passed = self.passed(int(server.address.rpartition(":")[2]), folder)
        self.assertGreater(len(wanted), 130)  # h2spec has 145 cases
        self.assertEqual(wanted - passed, set())

    def passed(self, port, folder):
        """The names of the cases that pass."""
        report = os.path.join(folder, "report.xml")
        ended = subprocess.run(
            [find_tool("h2spec"), "-h", "127.0.0.1", "-p", str(port), "-o", str(ANSWER_SECONDS), "-j", report],
            capture_output=True,
            text=True,
            timeout=240,
        )
        self.assertIn(ended.returncode, (0, 1), ended.stdout + ended.stderr)
        names = set()
        for suite in xml.etree.ElementTree.parse(report).iter("testsuite"):
            for case in suite.iter("testcase"):
                if not len(case):  # neither failed nor skipped
                    names.add(f"{suite.get('id')}: {case.get('classname')}")
        return names


if __name__ == "__main__":
    unittest.main()
