"""Two servers, and the balancers of deploy/balancer/ in front of them, each with its own file but for addresses.

The balancers are programs of others, which scripts/fetch-interop.sh fetches.
"""

import os
import re
import signal
import subprocess
import tempfile

from interop_bed import Program, find_tool, free_port, is_listening
from testbed import SOURCE, Server, metric_sum

HOSTS = ("127.0.0.11", "127.0.0.12")


class Pair:
    """Two servers on different addresses and equal ports, which are replaced one after the other."""

    def __init__(self, transport, drain_delay):
        self._options = [f"--transport={transport}", "--threads=1", f"--drain-delay={drain_delay}"]
        self.port, self.metrics_port = free_port(), free_port()
        self.servers = [None, None]
        for which in (0, 1):
            self.start(which)

    def start(self, which):
        host = HOSTS[which]
        ports = {"listen": f"{host}:{self.port}", "metrics_listen": f"{host}:{self.metrics_port}"}
        self.servers[which] = Server(*self._options, **ports)

    @property
    def addresses(self):
        return [server.address for server in self.servers]

    def restart(self, which):
        status = self.servers[which].stop()
        if status != 0:
            raise AssertionError(f"exit status {status}; stderr: {self.servers[which].stderr()}")
        self.start(which)

    def kill(self, which):
        """Ends a server without a word to anybody."""
        self.servers[which].terminate(signal.SIGKILL)
        self.servers[which].stop()

    def calls(self, which, method="Classify"):
        """How many calls of a method, or requests of its streams, this server has answered since it started."""
        return metric_sum(self.servers[which].metrics(), "hellocnn_requests_total", method=method, code="OK")

    def stop(self):
        for server in self.servers:
            server.terminate(signal.SIGINT)  # without the delay
            server.stop()


class Balancer(Program):
    """A balancer in front of a pair. `command` is followed by the path of its configuration, which may name FOLDER and `files` in it."""

    def __init__(self, command, name, config, port, files=None):
        self._folder = tempfile.TemporaryDirectory()
        for file_name, content in (files or {}).items():
            with open(os.path.join(self._folder.name, file_name), "wb") as file:
                file.write(content)
        path = os.path.join(self._folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.replace("FOLDER", self._folder.name))
        super().__init__([*command, path])
        self.address = f"127.0.0.1:{port}"
        self.wait_until(lambda: is_listening(port), f"a listener on {self.address}")

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        self._folder.cleanup()


def changed(name, *changes):
    """The text of a file of deploy/balancer/, in which each pair of a pattern and its replacement was applied at least once."""
    with open(os.path.join(SOURCE, "deploy/balancer", name), encoding="utf-8") as file:
        text = file.read()
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text)
        if count == 0:
            raise AssertionError(f"{name} has no {pattern}")
    return text


# Each starts a balancer in front of a pair. `more` are changes of its file besides those of addresses.
def haproxy(pair, *more):
    port, status = free_port(), free_port()
    config = changed(
        "haproxy.cfg",
        (r"bind :8500", f"bind 127.0.0.1:{port}"),
        (r"127\.0\.0\.1:8404", f"127.0.0.1:{status}"),
        (r"\b9464\b", str(pair.metrics_port)),
        (r"server-template .*", "\n  ".join(f"server {address} {address}" for address in pair.addresses)),
        *more,
    )
    return Balancer([find_tool("haproxy"), "-db", "-f"], "haproxy.cfg", config, port)


def nginx(pair, *more):
    port = free_port()
    paths = "".join(f"  {name}_temp_path FOLDER/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    process = "daemon off;\nmaster_process off;\npid FOLDER/nginx.pid;\nerror_log stderr;\n"
    config = process + changed(
        "nginx.conf",
        (r"http \{\n", f"http {{\n{paths}  access_log off;\n"),
        (r"listen 8500", f"listen 127.0.0.1:{port}"),
        (r"replica-1:8500", pair.addresses[0]),
        (r"replica-2:8500", pair.addresses[1]),
        *more,
    )
    return Balancer([find_tool("nginx"), "-c"], "nginx.conf", config, port)


def envoy(pair):
    port = free_port()
    folders = "-I", os.path.join(SOURCE, "protos"), "-I", os.path.join(SOURCE, "deploy/balancer")
    descriptors = "--include_imports", "--descriptor_set_out=/dev/stdout"
    protos = "hellocnn/v1/classifier_service.proto", "error_details.proto"
    made = subprocess.run(["protoc", *folders, *descriptors, *protos], capture_output=True, check=True)

    def endpoint(address):
        host, _, number = address.rpartition(":")
        return f"- endpoint: {{address: {{socket_address: {{address: {host}, port_value: {number}}}}}}}"

    config = changed(
        "envoy.yaml",
        (r"address: 0\.0\.0\.0, port_value: 8500", f"address: 127.0.0.1, port_value: {port}"),
        (r"/etc/envoy/hellocnn\.pb", "FOLDER/hellocnn.pb"),
        (r"type: STRICT_DNS", "type: STATIC"),
        (r"( *)- endpoint: .*", lambda match: "\n".join(match[1] + endpoint(address) for address in pair.addresses)),
    )
    command = [find_tool("envoy"), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warn", "-c"]
    return Balancer(command, "envoy.yaml", config, port, {"hellocnn.pb": made.stdout})
