"""The interoperability clients of grpc-go and grpc-java against the transport on libnghttp2, without TLS and with it."""

import os
import shutil
import subprocess
import tempfile
import unittest

from certificates import Authority
from interop_bed import InteropServer, find_tool

CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "rpc_soak",
    "channel_soak",
]
# Other cases with compression ask the server to look at the messages' flags, which transport.h hides.
COMPRESSED_CASES = [
    "client_compressed_unary_noprobe",
    "client_compressed_streaming_noprobe",
]
TIMEOUT = 120
# How long a call takes is not what is tested, and the Java machine starts slowly.
SOAK = ["--soak_per_iteration_max_acceptable_latency_ms=60000", "--soak_overall_timeout_seconds=100"]




class Client:
    """The tests of one client. `cases` are those that it has."""

    command = ()
    cases = CASES
    plain_flags = ()
    tls_flags = ()

    def run_cases(self, server, flags, environment):
        for case in self.cases:
            with self.subTest(case):
                ended = subprocess.run(
                    [*self.command, "--server_host=127.0.0.1", f"--server_port={server.port}", f"--test_case={case}", *flags]
                    + (SOAK if case.endswith("_soak") else []),
                    env={**os.environ, **environment},
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT,
                )
                self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)

    def trust(self, authority, folder):
        """Returns the flags and the environment with which the client trusts the authority."""
        raise NotImplementedError

    def test_without_tls(self):
        with InteropServer("http2") as server:
            self.run_cases(server, self.plain_flags, {})

    @unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
    def test_with_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(folder)
            flags, environment = self.trust(authority.certificate, folder)
            with InteropServer("http2", *authority.issue("server")) as server:
                self.run_cases(server, [*self.tls_flags, *flags], environment)


@unittest.skipUnless(find_tool("grpc-go-interop-client"), "scripts/fetch-interop.sh was not run")
class GrpcGoTest(Client, unittest.TestCase):
    command = (find_tool("grpc-go-interop-client"),)
    tls_flags = ("--use_tls=true", "--use_test_ca=true")

    def trust(self, authority, folder):
        return [f"--ca_file={authority}"], {}


@unittest.skipUnless(find_tool("grpc-java-interop-client"), "scripts/fetch-interop.sh was not run")
class GrpcJavaTest(Client, unittest.TestCase):
    command = (find_tool("grpc-java-interop-client"),)
    cases = CASES + COMPRESSED_CASES
    plain_flags = ("--use_tls=false",)
    tls_flags = ("--use_tls=true",)

    def trust(self, authority, folder):
        """The client has a flag only for an authority of its own, so it gets ours as those of its system."""
        store = os.path.join(folder, "trusted.p12")
        subprocess.run(
            ["keytool", "-importcert", "-noprompt", "-file", authority, "-keystore", store, "-storetype", "PKCS12"]
            + ["-storepass", "secret", "-alias", "tests"],
            check=True,
            capture_output=True,
            timeout=TIMEOUT,
        )
        options = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=secret"
        return [], {"JAVA_TOOL_OPTIONS": options}


class GrpcJavaOkhttpTest(GrpcJavaTest):
    """Its other transport, which Android uses."""

    plain_flags = ("--use_tls=false", "--use_okhttp=true")
    tls_flags = ("--use_tls=true", "--use_okhttp=true")


if __name__ == "__main__":
    unittest.main()
