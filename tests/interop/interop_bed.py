"""The server of the interoperability tests as a process, and proxies in front of it.

CTest passes the path of the server in HELLOCNN_TEST_INTEROP_SERVER. Clients and proxies of others are found in
HELLOCNN_INTEROP_TOOLS, which scripts/fetch-interop.sh fills, and on the PATH.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SERVER = os.environ["HELLOCNN_TEST_INTEROP_SERVER"]
TOOLS = os.environ.get(
    "HELLOCNN_INTEROP_TOOLS",
    os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "hellocnn/interop"),
)
WAIT_SECONDS = 60


def find_tool(name):
    """The path of a program, or None."""
    own = os.path.join(TOOLS, "bin", name)
    return own if os.access(own, os.X_OK) else shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")


_given_ports = set()


def free_port():
    """A port that was free just now, and that this process did not get before."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """A process that serves until the end of a `with` statement. Its output is shown if it does not come up."""

    def __init__(self, command):
        self._output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.STDOUT)

    def output(self):
        return os.pread(self._output.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait_until(self, condition, what):
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            found = condition()
            if found:
                return found
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"{what}: not seen; output: {self.output()}")
            time.sleep(0.02)

    def stop(self):
        """Stops it in the orderly way and returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        status, output = self.stop(), self.output()
        self._output.close()
        if kind is None and status not in (0, -signal.SIGTERM):
            raise AssertionError(f"exit status {status}; output: {output}")


class InteropServer(Program):
    """`certificate` and `key` are paths; without them, it speaks no TLS."""

    def __init__(self, transport, certificate=None, key=None):
        super().__init__([SERVER, transport, "0", *([certificate, key] if certificate else [])])
        line = self.wait_until(lambda: self.output() if "\n" in self.output() else "", "the line with the address")
        self.address = line.split("\n")[0].removeprefix("ready ")
        self.port = int(self.address.rpartition(":")[2])


class Proxy(Program):
    """A proxy whose port is chosen by the operating system and then given to it."""

    def __init__(self, command, config, suffix, backend):
        self._folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        path = os.path.join(self._folder.name, "proxy" + suffix)
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.format(port=self.port, backend=backend, folder=self._folder.name))
        super().__init__([*command, path])
        self.address = f"127.0.0.1:{self.port}"
        self.wait_until(lambda: is_listening(self.port), f"a listener on {self.address}")

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        self._folder.cleanup()


HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend calls
  bind 127.0.0.1:{port} proto h2
  default_backend servers
backend servers
  server one 127.0.0.1:{backend} proto h2
"""

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  upstream servers {{
    server 127.0.0.1:{backend};
    keepalive 8;
  }}
  server {{
    listen 127.0.0.1:{port} http2;
    location / {{
      grpc_pass grpc://servers;
    }}
  }}
}}
"""

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: calls
          codec_type: HTTP2
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                route: {{cluster: servers, timeout: 0s}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: servers
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment:
      cluster_name: servers
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}}}
"""


def haproxy(backend):
    return Proxy([find_tool("haproxy"), "-db", "-f"], HAPROXY, ".cfg", backend)


def nginx(backend):
    return Proxy([find_tool("nginx"), "-c"], NGINX, ".conf", backend)


def envoy(backend):
    command = [find_tool("envoy"), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warn", "-c"]
    return Proxy(command, ENVOY, ".yaml", backend)
