"""Starting, refusing to start, and stopping."""

import json
import os
import queue
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import grpc

import hostile_http2
import raw_http2
from testbed import MODEL, SERVER, SLOW_ENGINE, STOP_TIMEOUT, TRANSPORT, Server, clean_environment, code_of, image, pb, request, run_server, stub, wait_until

OK = grpc.StatusCode.OK
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"  # HealthCheckResponse


class DrainTest(unittest.TestCase):
    def stop_under_load(self, number):
        # LibTorch's engine: slow enough for a queue, and yet the clients are through with theirs in a moment.
        with Server("--engine=torch", "--threads=1", "--max-batch-size=4", "--queue-capacity=65536") as server:
            channels = [server.channel(i) for i in range(4)]
            codes, codes_lock, stopped = [], threading.Lock(), threading.Event()
            enough = threading.Event()

            def load(channel):
                service = stub(channel)
                pending = []
                while True:
                    while len(pending) < 64:
                        pending.append(service.Classify.future(request(16), timeout=120))
                    code = code_of(pending.pop(0))
                    with codes_lock:
                        codes.append(code)
                        if codes.count(OK) >= 100:
                            enough.set()
                    if code != OK and stopped.is_set():
                        break
                    if code != OK:
                        enough.set()  # something is wrong: let the assertions say what
                        break
                rest = [code_of(call) for call in pending]
                with codes_lock:
                    codes.extend(rest)

            threads = [threading.Thread(target=load, args=(channel,)) for channel in channels]
            for thread in threads:
                thread.start()
            self.assertTrue(enough.wait(120), "no load came about")
            with codes_lock:
                self.assertEqual(set(codes), {OK}, "before the signal")
                before = len(codes)
            stopped.set()
            server.terminate(number)
            self.assertEqual(server.wait(), 0, server.stderr())
            for thread in threads:
                thread.join(120)
                self.assertFalse(thread.is_alive())
            for channel in channels:
                channel.close()
            self.assertLessEqual(set(codes), {OK, UNAVAILABLE})
            self.assertIn(UNAVAILABLE, codes)
            self.assertIn(OK, codes[before:], "what was accepted is finished")

    def test_sigterm_under_load_answers_every_request(self):
        self.stop_under_load(signal.SIGTERM)

    def test_sigint_under_load_answers_every_request(self):
        self.stop_under_load(signal.SIGINT)

    def test_sighup_stops_nothing(self):
        with Server() as server, server.channel() as channel:
            for _ in range(3):
                server.terminate(signal.SIGHUP)
                stub(channel).Classify(request(), timeout=60)
            server.terminate()
            self.assertEqual(server.wait(), 0)
            self.assertIn("drained", server.stderr())

    def test_all_file_descriptors_that_are_allowed_are_used(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

        with Server(before=few) as server:
            with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as file:
                soft, hard = next(line.split()[3:5] for line in file if line.startswith("Max open files"))
            self.assertEqual(soft, hard)

    def test_what_a_stream_has_had_accepted_is_answered_before_the_end(self):
        with Server(SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=65536") as server:
            with server.channel() as channel:
                half_closed = threading.Event()

                def requests():
                    for i in range(20):
                        yield pb.ClassifyStreamRequest(id=i, images=image(512))
                    half_closed.wait(120)  # the client has more to say; it is the server that wants to end

                answers, end = {}, OK
                stream = stub(channel).ClassifyStream(requests())  # no deadline, for which the server would find the queue too long
                try:
                    for answer in stream:
                        if not answers:
                            server.terminate()
                        self.assertNotIn(answer.id, answers)
                        answers[answer.id] = answer
                except grpc.RpcError as error:
                    end = error.code()
                half_closed.set()
                self.assertEqual(end, UNAVAILABLE)
                for answer in answers.values():
                    if answer.WhichOneof("outcome") == "error":
                        self.assertEqual(answer.error.code, UNAVAILABLE.value[0])
                self.assertEqual(server.wait(), 0, server.stderr())

    def test_an_idle_connection_does_not_keep_the_server(self):
        with Server() as server, server.channel() as channel:
            stub(channel).Classify(request(), timeout=60)
            host, _, port = server.address.rpartition(":")
            with socket.create_connection((host, int(port))):
                server.terminate()
                self.assertEqual(server.wait(), 0, server.stderr())

    def test_an_idle_client_that_calls_after_the_end_is_not_told_that_it_was_cancelled(self):
        """Clients that are idle read of the end with their next call only. To such a call gRPC responds with CANCELLED, while it waits
        for the clients to leave."""
        with Server() as server, raw_http2.Connection(server.address) as connection:
            server.terminate()
            connection.wait_for_goaway()
            time.sleep(0.1)  # idle
            try:
                connection.call("/hellocnn.v1.ClassifierService/Classify", raw_http2.message(request().SerializeToString()))
            except OSError:
                pass  # the connection is closed, which clients take for UNAVAILABLE
            self.assertNotIn(b"CANCELLED", connection.rest())
            self.assertEqual(server.wait(), 0, server.stderr())

    def test_what_is_left_after_the_drain_timeout_is_cut_off(self):
        slow = [SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=65536", "--drain-timeout=100ms"]
        # 40 requests are 170 MB.
        memory = {"HELLOCNN_BUFFER_MEMORY": "512"} if TRANSPORT == "http2" else {}
        with Server(*slow, environment=memory) as server, server.channel() as channel:
            # No deadline, for which the server would find the queue too long.
            calls = [stub(channel).Classify.future(request(1024)) for _ in range(40)]
            calls[0].result(timeout=240)
            server.terminate()
            codes = [code_of(call) for call in calls]
            self.assertIn(OK, codes)
            self.assertNotEqual(set(codes), {OK})
            self.assertLessEqual(set(codes), {OK, UNAVAILABLE, grpc.StatusCode.CANCELLED})
            self.assertEqual(server.wait(), 0, server.stderr())


def readiness(server):
    """The status and the body of /readyz."""
    try:
        with urllib.request.urlopen(f"http://{server.metrics_address}/readyz", timeout=30) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class LeaveTest(unittest.TestCase):
    """The delay before the drain, which is so long here that no test can wait for its end."""

    DELAY = "--drain-delay=1h"

    def leave(self, server):
        server.terminate()
        wait_until(lambda: readiness(server) == (503, "leaving\n"), "a server that leaves")

    def end_delay(self, server):
        time.sleep(0.5)  # signals that follow each other sooner are one
        server.terminate()
        self.assertEqual(server.wait(), 0, server.stderr())

    def test_what_still_comes_is_served(self):
        with Server(self.DELAY) as server, server.channel(0) as old, server.channel(1) as fresh:
            stub(old).Classify(request(), timeout=60)
            self.leave(server)
            for channel in (old, fresh, old, fresh):
                stub(channel).Classify(request(), timeout=60)
            check = fresh.unary_unary("/grpc.health.v1.Health/Check")
            self.assertEqual(check(b"", timeout=60), NOT_SERVING)
            self.assertEqual(server.metrics()["hellocnn_ready"], 0)
            self.end_delay(server)

    def test_streams_go_on_and_end_with_the_delay(self):
        with Server(self.DELAY) as server, server.channel() as channel:
            requests = queue.SimpleQueue()
            stream = stub(channel).ClassifyStream(iter(requests.get, None), timeout=120)
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=120)
            self.assertEqual(next(watch), SERVING)
            for number in range(4):
                requests.put(pb.ClassifyStreamRequest(id=number, images=image()))
                self.assertEqual(next(stream).WhichOneof("outcome"), "result")
                if number == 1:
                    self.leave(server)
                    self.assertEqual(next(watch), NOT_SERVING)
            self.end_delay(server)
            for call in (stream, watch):
                with self.assertRaises(grpc.RpcError):
                    next(call)
                self.assertEqual((call.code(), call.details()), (UNAVAILABLE, "server is draining"))
            requests.put(None)

    def test_a_person_is_not_kept_waiting(self):
        with Server(self.DELAY) as server, server.channel() as channel:
            stub(channel).Classify(request(), timeout=60)
            server.terminate(signal.SIGINT)
            self.assertEqual(server.wait(), 0, server.stderr())

    def test_the_delay_ends_by_itself(self):
        with Server("--drain-delay=1s") as server, server.channel() as channel:
            start = time.monotonic()
            server.terminate()
            codes = []
            while server.process.poll() is None:
                code = code_of(stub(channel).Classify.future(request(), timeout=60))
                codes.append((time.monotonic() - start, code))  # when the call ended: it may arrive long after it began
            self.assertEqual(server.wait(), 0, server.stderr())
            self.assertEqual({code for at, code in codes if at < 1}, {OK})


class GoodbyeTest(unittest.TestCase):
    """How the transport on libnghttp2 takes its leave of a connection."""

    def setUp(self):
        self.server = self.enterContext(Server("--transport=http2", "--max-connection-age=1s"))
        settings = {hostile_http2.INITIAL_WINDOW_SIZE: 1 << 30}
        self.peer = self.enterContext(hostile_http2.Peer(self.server.address, settings, reads=False))
        self.peer.send(raw_http2.frame(raw_http2.SETTINGS, raw_http2.ACK, 0))
        self.received, self.frames, self.kinds = b"", [], []

    def next(self, wanted):
        """The payload of the next frame of this kind, whatever stands before it."""
        while True:
            for i, (kind, payload) in enumerate(self.frames):
                if kind == wanted:
                    del self.frames[i]
                    return payload
            more = self.peer.socket.recv(1 << 16)
            self.assertTrue(more, "the server has closed the connection")
            self.received += more
            while len(self.received) >= 9 and len(self.received) >= (end := 9 + int.from_bytes(self.received[:3], "big")):
                self.kinds.append(self.received[3])
                self.frames.append((self.received[3], self.received[9:end]))
                self.received = self.received[end:]

    def answer(self):
        return raw_http2.frame(raw_http2.PING, raw_http2.ACK, 0, self.next(raw_http2.PING))

    def last_stream(self):
        return int.from_bytes(self.next(raw_http2.GOAWAY)[:4], "big")

    def test_a_call_behind_the_answer_is_served_however_late_it_is(self):
        """gRPC's C core sends such calls: it has begun them before it has read the GOAWAY."""
        self.assertEqual(self.last_stream(), 2**31 - 1)
        time.sleep(1.5)  # a client on a busy machine
        self.peer.send(self.answer() + hostile_http2.call(1, hostile_http2.GET_MODEL))
        self.peer.send(self.answer())
        self.assertEqual(self.last_stream(), 1)
        self.next(raw_http2.DATA)

    def test_the_question_follows_the_announcement(self):
        """Otherwise the answer would not mean that the client has read the announcement."""
        self.next(raw_http2.PING)
        self.assertLess(self.kinds.index(raw_http2.GOAWAY), self.kinds.index(raw_http2.PING))

    def test_a_slow_reader_that_goes_on_sending_gets_everything(self):
        """The system throws away what was sent, but has not arrived, if the peer sends something to a connection that is closed."""
        self.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.assertEqual(self.last_stream(), 2**31 - 1)
        payload = request(900).SerializeToString()  # within the window of a stream
        self.peer.send(self.answer() + hostile_http2.begin(1, hostile_http2.CLASSIFY))
        sent = raw_http2.message(payload)
        pieces = [sent[at : at + 16384] for at in range(0, len(sent), 16384)]
        for piece in pieces[:-1]:
            self.peer.send(raw_http2.frame(raw_http2.DATA, 0, 1, piece))
        self.peer.send(self.answer() + raw_http2.frame(raw_http2.DATA, raw_http2.END_STREAM, 1, pieces[-1]))
        time.sleep(1)
        self.peer.send(raw_http2.frame(raw_http2.PING, 0, 0, bytes(8)))
        time.sleep(0.2)
        self.assertEqual(self.last_stream(), 1)
        response = b""
        while len(response) < 5 + int.from_bytes(response[1:5], "big"):
            response += self.next(raw_http2.DATA)


class StartTest(unittest.TestCase):
    def test_nobody_can_connect_before_calls_are_served(self):
        """Clients and balancers without health checks go to another server only if they cannot connect."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [SERVER, f"--listen=127.0.0.1:{port}", "--metrics-listen=off", "--model", MODEL, SLOW_ENGINE, "--max-batch-size=64"]
        environment = clean_environment(HELLOCNN_TRANSPORT=TRANSPORT, HELLOCNN_DRAIN_DELAY="0s")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        try:
            refused = 0
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                refused += 1
                time.sleep(0.001)
            self.assertGreater(refused, 0)
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                self.assertEqual(code_of(stub(channel).Classify.future(request(), timeout=60)), OK)
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT)


class StopWhileLoadingTest(unittest.TestCase):
    def stop_after(self, line, *arguments):
        """Stops a server once it has logged `line`; returns how long it took to end."""
        command = [SERVER, "--listen=127.0.0.1:0", "--metrics-listen=off", "--model", MODEL, *arguments]
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=clean_environment())
            try:
                wait_until(lambda: line in os.pread(log.fileno(), 1 << 16, 0).decode(), f"'{line}' in the log")
                start = time.monotonic()
                process.terminate()
                self.assertEqual(process.wait(STOP_TIMEOUT), 0)
                self.assertNotIn("ready", os.pread(log.fileno(), 1 << 16, 0).decode())
                return time.monotonic() - start
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    # LibTorch is as fast under sanitizers as without: each of these phases takes seconds or minutes, and one batch far less.
    def test_while_the_engine_is_verified(self):
        self.assertLess(self.stop_after("loaded from", SLOW_ENGINE, "--max-batch-size=1024"), 30)

    def test_while_workers_warm_up(self):
        self.assertLess(self.stop_after("warming 1 workers up", "--engine=torch", "--threads=1", "--max-batch-size=512"), 30)


class ConnectionAgeTest(unittest.TestCase):
    def test_clients_connect_anew_and_no_call_fails(self):
        with Server("--max-connection-age=1s") as server, server.channel() as channel:
            states, ready_again = [], threading.Event()

            def note(state):
                states.append(state)
                if states.count(grpc.ChannelConnectivity.READY) == 3:
                    ready_again.set()

            channel.subscribe(note, try_to_connect=True)
            service = stub(channel)
            deadline = time.monotonic() + STOP_TIMEOUT
            while not ready_again.is_set() and time.monotonic() < deadline:
                self.assertEqual(code_of(service.Classify.future(request(), timeout=60)), OK)
            self.assertTrue(ready_again.is_set(), states)


class BadOptionTest(unittest.TestCase):
    def test_a_bad_flag_is_refused_by_name_with_its_value(self):
        for flag, value in [
            ("threads", "0"),
            ("threads", "many"),
            ("max-batch-size", "0"),
            ("max-batch-size", "4097"),
            ("max-batch-size", "3.5"),
            ("queue-capacity", "-1"),
            ("queue-capacity", "31"),
            ("max-queue-delay", "2s"),
            ("max-queue-delay", "5"),
            ("max-images-per-request", "0"),
            ("drain-timeout", "2h"),
            ("log-level", "loud"),
            ("listen", "nowhere"),
            ("metrics-listen", "127.0.0.1:99999"),
        ]:
            with self.subTest(f"--{flag}={value}"):
                run = run_server(f"--{flag}={value}")
                self.assertEqual(run.returncode, 2, run.stderr)
                self.assertIn(flag, run.stderr)
                self.assertIn(value, run.stderr)
                self.assertEqual(run.stdout, "")

    def test_requests_that_no_message_can_hold_are_rejected_by_name(self):
        run = run_server("--max-images-per-request=600000", "--queue-capacity=600000")
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn("option max-images-per-request (flag)", run.stderr)

    def test_an_unknown_flag_is_refused_by_name(self):
        run = run_server("--max-batch=3")
        self.assertEqual(run.returncode, 2)
        self.assertIn("max-batch", run.stderr)

    def test_a_bad_environment_variable_is_refused_by_name(self):
        run = run_server(HELLOCNN_MAX_BATCH_SIZE="zero")
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertRegex(run.stderr, "HELLOCNN_MAX_BATCH_SIZE|max-batch-size")
        self.assertIn("zero", run.stderr)

    def test_a_missing_config_file_is_refused_by_name(self):
        run = run_server("--config", "/no/such/server.toml")
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn("/no/such/server.toml", run.stderr)

    def test_an_unknown_or_bad_setting_in_the_file_is_refused_by_name(self):
        for text, wanted in [("max-batch-sise = 3\n", "max-batch-sise"), ("threads = 0\n", "threads")]:
            with self.subTest(text), tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                file.write(text)
                file.flush()
                run = run_server("--config", file.name)
                self.assertEqual(run.returncode, 2, run.stderr)
                self.assertIn(wanted, run.stderr)

    def test_a_mistyped_name_is_told_the_nearest_option(self):
        self.assertIn("did you mean --max-batch-size?", run_server("--max-batchsize=3").stderr)

    def test_help_and_version(self):
        run = run_server("--help")
        self.assertEqual(run.returncode, 0)
        for flag in ("--listen", "--max-batch-size", "--max-queue-delay", "--drain-timeout", "--config"):
            self.assertIn(flag, run.stdout)
        self.assertEqual(run_server("--version").returncode, 0)


class OptionSourceTest(unittest.TestCase):
    def test_flags_win_over_the_environment_and_that_over_the_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('max-batch-size = 7\nqueue-capacity = 7000\nlog-level = "warn"\n')
            file.flush()
            run = run_server(
                "--print-config",
                "--config",
                file.name,
                "--max-batch-size=9",
                HELLOCNN_MAX_BATCH_SIZE="8",
                HELLOCNN_QUEUE_CAPACITY="8000",
            )
            self.assertEqual(run.returncode, 0, run.stderr)
            settings = {
                name: (value.strip('"'), source)
                for name, value, source in re.findall(
                    r"^(\S+) += (\S+) +# (.+)$", run.stdout, re.MULTILINE
                )
            }
            self.assertEqual(settings["max-batch-size"], ("9", "flag"))
            self.assertEqual(settings["queue-capacity"], ("8000", "environment HELLOCNN_QUEUE_CAPACITY"))
            self.assertEqual(settings["log-level"], ("warn", f"file {file.name}"))
            self.assertEqual(settings["drain-timeout"], ("30s", "default"))

    def test_what_is_printed_can_be_read_back(self):
        first = run_server("--print-config", "--max-batch-size=9", "--max-queue-delay=200us")
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(first.stdout)
            file.flush()
            second = run_server("--print-config", "--config", file.name)
        self.assertEqual(second.returncode, 0, second.stderr)

        def values(text):
            return [line.partition("#")[0].split() for line in text.splitlines()]

        self.assertEqual(values(second.stdout), values(first.stdout))


def service_variables(service, port_name, port):
    """What Kubernetes sets in a pod for a Service with one named port."""
    prefix = service.upper().replace("-", "_")
    link = f"{prefix}_PORT_{port}_TCP"
    return {
        f"{prefix}_SERVICE_HOST": "10.96.0.1",
        f"{prefix}_SERVICE_PORT": str(port),
        f"{prefix}_SERVICE_PORT_{port_name.upper()}": str(port),
        f"{prefix}_PORT": f"tcp://10.96.0.1:{port}",
        link: f"tcp://10.96.0.1:{port}",
        f"{link}_PROTO": "tcp",
        f"{link}_PORT": str(port),
        f"{link}_ADDR": "10.96.0.1",
    }


class UnknownVariableTest(unittest.TestCase):
    def test_a_mistyped_variable_is_a_warning_with_the_nearest_option(self):
        with Server(environment={"HELLOCNN_TREADS": "none"}) as server:
            self.assertRegex(server.stderr(), r"warn\w* .*HELLOCNN_TREADS is ignored.*did you mean HELLOCNN_THREADS\?")

    def test_a_printed_configuration_has_the_warning_on_standard_error(self):
        run = run_server("--print-config", HELLOCNN_TREADS="3")
        self.assertEqual(run.returncode, 0)
        self.assertIn("HELLOCNN_TREADS", run.stderr)
        self.assertNotIn("HELLOCNN_TREADS", run.stdout)

    def test_variables_of_services_change_nothing_whatever_their_values(self):
        variables = {}
        # Some have names of options in theirs: a Service must not set those.
        for service, port_name, port in [
            ("hellocnn", "grpc", 8500),
            ("hellocnn-headless", "metrics", 9464),
            ("hellocnn-metrics", "http", 9464),
            ("hellocnn-metrics-listen", "http", 9464),
            ("hellocnn-server", "grpc", 8500),
            ("hellocnn-threads", "grpc", 8500),
        ]:
            variables.update(service_variables(service, port_name, port))
        untouched = run_server("--print-config").stdout
        for values in (variables, dict.fromkeys(variables, ""), dict.fromkeys(variables, "7")):
            with self.subTest(values=values):
                self.assertEqual(run_server("--print-config", **values).stdout, untouched)
        with Server(environment=variables) as server:
            self.assertEqual(server.cli("health").returncode, 0)
            log = server.stderr()
        warnings = [line for line in log.splitlines() if "HELLOCNN_" in line]
        self.assertEqual(len(warnings), 1, log)
        for name in variables:
            self.assertRegex(warnings[0], rf"\b{name}\b")


class BadModelTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = os.path.join(folder.name, "model")
        shutil.copytree(MODEL, self.model)
        self.card = os.path.join(self.model, "model_card.json")
        with open(self.card, encoding="utf-8") as file:
            self.weights = os.path.join(self.model, json.load(file)["weights"])

    def assert_refused(self, named):
        run = run_server("--listen=127.0.0.1:0", "--metrics-listen=off", "--model", self.model)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn(named, run.stderr)
        self.assertNotIn("ready", run.stdout)

    def test_the_untouched_copy_is_served(self):
        with Server(model=self.model):
            pass

    def test_no_folder(self):
        shutil.rmtree(self.model)
        self.assert_refused(f"cannot find the model {self.model}")

    def test_no_card(self):
        os.remove(self.card)
        self.assert_refused(self.card)

    def test_a_card_that_is_no_json(self):
        with open(self.card, "w", encoding="utf-8") as file:
            file.write("{")
        self.assert_refused(self.card)

    def test_no_weights(self):
        os.remove(self.weights)
        self.assert_refused(self.weights)

    def test_truncated_weights(self):
        os.truncate(self.weights, os.path.getsize(self.weights) // 2)
        self.assert_refused(self.weights)

    def test_weights_of_something_else_entirely(self):
        with open(self.weights, "w", encoding="utf-8") as file:
            file.write("not a weight file\n" * 1000)
        self.assert_refused(self.weights)

    def test_empty_weights(self):
        os.truncate(self.weights, 0)
        self.assert_refused(self.weights)


class PortTest(unittest.TestCase):
    def test_a_taken_port_is_refused_by_address(self):
        for flag in ("--listen", "--metrics-listen"):
            with self.subTest(flag), socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                address = f"127.0.0.1:{taken.getsockname()[1]}"
                others = {"--listen": "127.0.0.1:0", "--metrics-listen": "off", flag: address}
                flags = [f"{name}={value}" for name, value in others.items()]
                run = run_server("--model", MODEL, *flags)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn(address, run.stderr)
                self.assertIn("in use", run.stderr)

    def refusal(self, flag, address, **process):
        others = {"--listen": "127.0.0.1:0", "--metrics-listen": "off", flag: address}
        flags = [f"{name}={value}" for name, value in others.items()]
        run = run_server("--model", MODEL, *flags, **process)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn(f"cannot listen on {address}: ", run.stderr)
        return run.stderr

    def test_both_ports_say_why_they_cannot_listen(self):
        for flag in ("--listen", "--metrics-listen"):
            with self.subTest(flag):
                self.assertIn("does not resolve", self.refusal(flag, "nobody.invalid:0"))
                self.assertIn("not an address of this machine", self.refusal(flag, "192.0.2.1:0"))

    def test_a_name_of_which_one_address_is_taken_is_refused(self):
        """gRPC would be content with ::1, and clients would reach the other program."""
        for flag in ("--listen", "--metrics-listen"):
            with self.subTest(flag), socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                self.assertIn("in use", self.refusal(flag, f"localhost:{taken.getsockname()[1]}"))

    def test_0_0_0_0_is_ipv4_and_the_brackets_are_both_families(self):
        def reaches(host, address):
            try:
                with socket.create_connection((host, int(address.rpartition(":")[2])), timeout=30):
                    return True
            except OSError:
                return False

        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("this machine has no IPv6")
        for wildcard, ipv6 in (("0.0.0.0:0", False), ("[::]:0", True)):
            with Server(listen=wildcard, metrics_listen=wildcard) as server:
                for address in (server.address, server.metrics_address):
                    with self.subTest(address):
                        self.assertTrue(reaches("127.0.0.1", address))
                        self.assertEqual(reaches("::1", address), ipv6)

    def test_metrics_can_be_off(self):
        with Server(metrics_listen="off") as server, server.channel() as channel:
            self.assertEqual(server.metrics_address, "off")
            self.assertEqual(code_of(stub(channel).Classify.future(request(), timeout=60)), OK)
            requests = (pb.ClassifyStreamRequest(id=i, images=image(2)) for i in range(5))
            self.assertEqual(len(list(stub(channel).ClassifyStream(requests, timeout=60))), 5)


if __name__ == "__main__":
    unittest.main()
