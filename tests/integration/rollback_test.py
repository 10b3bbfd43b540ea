"""Going back to the version before, which stays loaded for a while."""

import json
import shutil
import threading
import unittest

import grpc

from models_test import STATE, ModelsTest
from testbed import Server, pb, pb_grpc, stub


class RollbackTest(ModelsTest):
    def setUp(self):
        super().setUp()
        self.add("digits", 1)

    def serve(self, *arguments):
        """A server with version 1, and then with version 2."""
        server = Server("--model-control=on", *arguments, model=self.path("digits"))
        self.addCleanup(server.stop)
        channel = server.channel()
        self.addCleanup(channel.close)
        self.add("digits", 2)
        self.wait_for_current(server, channel, "digits", 2)
        return server, channel

    def states(self, channel):
        return {version: STATE.Name(model.state) for (_, version), model in self.models(channel).items()}

    def control(self, channel):
        return pb_grpc.ModelControlServiceStub(channel)

    def error(self, call, request):
        with self.assertRaises(grpc.RpcError) as raised:
            call(request, timeout=60)
        return raised.exception.code(), raised.exception.details()

    def test_a_rollback_under_load_loses_no_call(self):
        server, channel = self.serve()
        self.assertEqual(self.states(channel), {"1": "STATE_STANDBY", "2": "STATE_SERVING"})
        stop = threading.Event()
        seen = []
        errors = []

        def call():
            with server.channel() as own:
                while not stop.is_set():
                    try:
                        response = self.classify(own)
                        self.check_answer(response)
                        seen.append(response.model.version)
                    except (grpc.RpcError, AssertionError) as error:
                        errors.append(error)

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                done = self.control(channel).RollBack(pb.RollBackRequest(), timeout=60)
                self.assertEqual((done.to.name, getattr(done, "from").version, done.to.version), ("digits", "2", "1"))
                self.check_answer(self.classify(channel), 1)
                done = self.control(channel).UndoRollback(pb.UndoRollbackRequest(model="digits"), timeout=60)
                self.assertEqual(done.to.version, "2")
                self.check_answer(self.classify(channel), 2)
                # Version 1 is replaced once more.
                self.wait_for("1 to stand by", lambda: self.states(channel)["1"] == "STATE_STANDBY", server)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(errors, [])
        self.assertEqual(set(seen), {"1", "2"})
        print(f"10 rollbacks: {len(seen)} calls, none failed")

    def test_what_is_rolled_back_stays_back_until_something_better_comes(self):
        server, channel = self.serve()
        self.control(channel).RollBack(pb.RollBackRequest(model="digits"), timeout=60)
        states = {"1": "STATE_SERVING", "2": "STATE_ROLLED_BACK"}
        for _ in range(3):
            self.control(channel).PollModels(pb.PollModelsRequest(), timeout=60)
            self.assertEqual(self.states(channel), states)
        self.assertIn("rolled back by request", self.models(channel)["digits", "2"].reason)
        self.assertEqual(server.metrics()['hellocnn_model_versions{state="failed"}'], 0)
        code, details = self.error(self.control(channel).RollBack, pb.RollBackRequest())
        self.assertEqual(code, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertIn("no lower version is loaded", details)
        self.add("digits", 3)
        self.wait_for_current(server, channel, "digits", 3)

    def test_the_folder_of_the_new_version_may_simply_be_removed(self):
        server, channel = self.serve()
        shutil.rmtree(self.path("digits", "2"))
        self.wait_for_current(server, channel, "digits", 1)
        self.assertEqual(server.stderr().count("model digits version 1 loaded from"), 1)

    def test_without_a_window_nothing_is_kept(self):
        server, channel = self.serve("--rollback-window=0s")
        self.wait_for("1 to go", lambda: self.states(channel) == {"2": "STATE_SERVING"}, server)
        code, details = self.error(self.control(channel).RollBack, pb.RollBackRequest())
        self.assertEqual(code, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertIn("--rollback-window, which is 0", details)

    def test_clients_may_do_nothing_unless_the_server_is_told_so(self):
        with Server(model=self.path("digits")) as server, server.channel() as channel:
            control = self.control(channel)
            for call, request in (
                (control.RollBack, pb.RollBackRequest()),
                (control.UndoRollback, pb.UndoRollbackRequest()),
                (control.PollModels, pb.PollModelsRequest()),
            ):
                code, details = self.error(call, request)
                self.assertEqual(code, grpc.StatusCode.PERMISSION_DENIED)
                self.assertIn("--model-control=on", details)

    def test_a_model_that_is_not_served_is_not_found(self):
        _, channel = self.serve()
        for call, request in (
            (self.control(channel).RollBack, pb.RollBackRequest(model="letters")),
            (self.control(channel).UndoRollback, pb.UndoRollbackRequest(model="letters")),
        ):
            code, details = self.error(call, request)
            self.assertEqual(code, grpc.StatusCode.NOT_FOUND)
            self.assertEqual(details, "model letters is not served; wanted digits")

    def test_the_command_rolls_back_and_undoes_it(self):
        server, channel = self.serve()
        run = server.cli("models", "rollback")
        self.assertEqual((run.returncode, run.stdout), (0, "Model digits: version 1 serves now; version 2 is rolled back.\n"), run.stderr)
        self.check_answer(self.classify(channel), 1)
        run = server.cli("models", "rollback", "--model", "digits", "--undo", "--output", "json")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(json.loads(run.stdout), {"model": "digits", "from": "1", "to": "2"})
        self.check_answer(self.classify(channel), 2)
        run = server.cli("models", "rollback", "--undo")
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("no version of model digits is rolled back", run.stderr)

    def test_health_knows_each_model_and_version(self):
        server, channel = self.serve()

        def health(service):
            run = server.cli("health", "--service", service)
            return run.stdout.split()[-1] if run.returncode == 0 else run.stderr

        self.assertEqual(health("models/digits"), "SERVING")
        self.assertEqual(health("models/digits/versions/2"), "SERVING")
        self.assertIn("models/letters", health("models/letters"))
        run = server.cli("health", "--service", "models/digits/versions/1")
        self.assertEqual(run.returncode, 1)
        self.assertIn("NOT_SERVING", run.stdout)
        self.assertEqual(len(stub(channel).ListModels(pb.ListModelsRequest(), timeout=60).models), 2)


if __name__ == "__main__":
    unittest.main()
