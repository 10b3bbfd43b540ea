"""Starting, refusing to start, and stopping."""

import json
import os
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

import grpc

from testbed import MODEL, SERVER, SLOW_ENGINE, STOP_TIMEOUT, Server, clean_environment, code_of, image, pb, request, run_server, stub, wait_until

OK = grpc.StatusCode.OK
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


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

    def test_a_terminal_that_closes_is_a_signal_to_drain_too(self):
        with Server() as server:
            server.terminate(signal.SIGHUP)
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
                stream = stub(channel).ClassifyStream(requests(), timeout=120)
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

    def test_what_is_left_after_the_drain_timeout_is_cut_off(self):
        slow = [SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=65536", "--drain-timeout=100ms"]
        with Server(*slow) as server, server.channel() as channel:
            calls = [stub(channel).Classify.future(request(1024), timeout=240) for _ in range(40)]
            calls[0].result(timeout=240)
            server.terminate()
            codes = [code_of(call) for call in calls]
            self.assertIn(OK, codes)
            self.assertNotEqual(set(codes), {OK})
            self.assertLessEqual(set(codes), {OK, UNAVAILABLE, grpc.StatusCode.CANCELLED})
            self.assertEqual(server.wait(), 0, server.stderr())


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
        self.assert_refused(self.card)

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

    def test_metrics_can_be_off(self):
        with Server(metrics_listen="off") as server, server.channel() as channel:
            self.assertEqual(server.metrics_address, "off")
            self.assertEqual(code_of(stub(channel).Classify.future(request(), timeout=60)), OK)
            requests = (pb.ClassifyStreamRequest(id=i, images=image(2)) for i in range(5))
            self.assertEqual(len(list(stub(channel).ClassifyStream(requests, timeout=60))), 5)


if __name__ == "__main__":
    unittest.main()
