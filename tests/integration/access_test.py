"""--access-file: who may call what, with tokens, signed tokens and limits, over gRPC and HTTP, and what is counted."""

import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import grpc

from certificates import Authority, openssl, read
from hellocnn.v1 import classifier_service_pb2_grpc as pb_grpc
from images_test import png
from inference import open_inference_pb2 as inference
from inference import open_inference_pb2_grpc as inference_grpc
from testbed import CLI, MODEL, Server, image, pb, request, run_server, stub, test_digits, wait_until

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
OK = grpc.StatusCode.OK


def sha256(token):
    return hashlib.sha256(token.encode()).hexdigest()


def bearer(token):
    return [("authorization", f"Bearer {token}")]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def outcome(call, *arguments, **options):
    """The code and the message with which a call ends."""
    try:
        call(*arguments, **options)
        return OK, ""
    except grpc.RpcError as error:
        return error.code(), error.details()


class AccessTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "access.json")

    def write(self, principals, **more):
        """Replaces the file at once, as people should."""
        text = json.dumps({"principals": {"ops": {"token_sha256": sha256("watch"), "may": "observe"}, **principals}, **more})
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)

    def server(self, *flags, **options):
        return Server("--access-file", self.path, *flags, **options)

    def scrape(self, server, token="watch"):
        page = urllib.request.Request(f"http://{server.metrics_address}/metrics")
        if token:
            page.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(page, timeout=30) as answer:
            return answer.read().decode()

    def rejected(self, server, reason):
        """How many requests were rejected for the reason, by the metrics."""
        found = re.findall(
            rf'^hellocnn_requests_refused_total\{{[^}}]*reason="{reason}"[^}}]*\}} (\S+)$', self.scrape(server), re.MULTILINE
        )
        return sum(map(float, found))


class TokenTest(AccessTestCase):
    def test_each_caller_may_do_what_the_file_says(self):
        self.write(
            {
                "shop": {"token_sha256": [sha256("seven"), sha256("eight")], "may": ["classify"]},
                "lister": {"token_sha256": sha256("list"), "may": "introspect"},
                "other": {"token_sha256": sha256("other"), "may": ["classify", "introspect"], "models": ["letters*"]},
                "admin": {"token_sha256": sha256("letters admin"), "may": "admin", "models": "letters"},
            }
        )
        with self.server("--model-control=on", "--http-listen=127.0.0.1:0") as server, server.channel() as channel:
            service = stub(channel)
            control = pb_grpc.ModelControlServiceStub(channel)
            v2 = inference_grpc.GRPCInferenceServiceStub(channel)
            for token in ("seven", "eight"):
                self.assertEqual(outcome(service.Classify, request(), metadata=bearer(token))[0], OK)
                self.assertEqual(outcome(service.GetModel, pb.GetModelRequest(), metadata=bearer(token))[0], OK)
            answers = list(service.ClassifyStream(iter([pb.ClassifyStreamRequest(id=1, images=image())]), metadata=bearer("seven")))
            self.assertEqual(len(answers[0].result.predictions), 1)

            # Whoever is not known.
            for metadata in ([], bearer("wrong"), bearer(sha256("seven")), [("authorization", "Basic c2V2ZW4=")], bearer("x" * 6000)):
                code, message = outcome(service.Classify, request(), metadata=metadata)
                self.assertEqual(code, UNAUTHENTICATED, metadata)
                self.assertTrue(message, metadata)
                self.assertNotIn("wrong", message)
            self.assertEqual(outcome(lambda: list(service.ClassifyStream(iter([]))))[0], UNAUTHENTICATED)
            self.assertEqual(outcome(v2.ModelInfer, inference.ModelInferRequest(model_name="mnist"))[0], UNAUTHENTICATED)
            self.assertEqual(self.rejected(server, "unauthenticated"), 7)

            # Whoever is known, and may do something else.
            may_not = [
                outcome(service.ListModels, pb.ListModelsRequest(), metadata=bearer("seven")),
                outcome(control.PollModels, pb.PollModelsRequest(), metadata=bearer("seven")),
                outcome(v2.RepositoryIndex, inference.RepositoryIndexRequest(), metadata=bearer("seven")),
                outcome(service.Classify, request(), metadata=bearer("list")),
                outcome(service.Classify, request(), metadata=bearer("other")),
                outcome(service.GetModel, pb.GetModelRequest(), metadata=bearer("other")),
                outcome(v2.ModelReady, inference.ModelReadyRequest(name="mnist"), metadata=bearer("other")),
                outcome(v2.ModelMetadata, inference.ModelMetadataRequest(), metadata=bearer("other")),
                outcome(control.RollBack, pb.RollBackRequest(), metadata=bearer("letters admin")),
                outcome(service.Classify, pb.ClassifyRequest(images=image(), model={"name": "secret"}), metadata=bearer("other")),
            ]
            for code, message in may_not:
                self.assertEqual(code, PERMISSION_DENIED, message)
                self.assertRegex(message, "the caller, (shop|lister|other|admin), may not")
            self.assertEqual(self.rejected(server, "permission_denied"), len(may_not))

            # What somebody may use and is not there, without the names of the others.
            code, message = outcome(service.GetModel, pb.GetModelRequest(model={"name": "letters-x"}), metadata=bearer("other"))
            self.assertEqual((code.name, message), ("NOT_FOUND", "model letters-x is not served"))
            # Lists have what their readers may use.
            models = service.ListModels(pb.ListModelsRequest(), metadata=bearer("list")).models
            self.assertEqual([model.version.name for model in models], ["mnist"])
            self.assertEqual(len(service.ListModels(pb.ListModelsRequest(), metadata=bearer("other")).models), 0)
            self.assertEqual(len(v2.RepositoryIndex(inference.RepositoryIndexRequest(), metadata=bearer("other")).models), 0)

            # Probes need nobody's leave.
            self.assertTrue(v2.ServerReady(inference.ServerReadyRequest()).ready)
            health = channel.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)
            self.assertEqual(health(b""), b"\x08\x01")
            names = channel.unary_unary("/grpc.health.v1.Health/List", bytes, bytes)
            self.assertEqual(outcome(names, b"")[0], UNAUTHENTICATED)
            self.assertIn(b"mnist", names(b"", metadata=bearer("list")))
            for page in ("livez", "readyz"):
                with urllib.request.urlopen(f"http://{server.metrics_address}/{page}", timeout=30) as answer:
                    self.assertEqual(answer.status, 200)
            for token, status in ((None, 401), ("wrong", 401), ("seven", 403)):
                with self.assertRaises(urllib.error.HTTPError) as raised:
                    self.scrape(server, token)
                self.assertEqual(raised.exception.code, status)
            self.assertIn("hellocnn_requests_total", self.scrape(server))

    def test_http_asks_before_it_reads(self):
        self.write(
            {
                "shop": {"token_sha256": sha256("seven"), "may": "classify", "models": ["mnist"]},
                "lister": {"token_sha256": sha256("list"), "may": "introspect"},
                "other": {"token_sha256": sha256("letters"), "may": "classify", "models": "letters"},
                "spent": {"token_sha256": sha256("spent"), "may": "classify", "images_per_day": 1},
            }
        )
        digit = png(test_digits(1)[0][0], 32)
        with self.server("--http-listen=127.0.0.1:0") as server:

            def post(path, body, token=None):
                connection = http.client.HTTPConnection(server.http_address, timeout=60)
                connection.request("POST", path, body, {"Authorization": f"Bearer {token}"} if token else {})
                answer = connection.getresponse()
                text = answer.read().decode()
                connection.close()
                return answer.status, text, answer.headers

            status, text, _ = post("/classify", digit, "seven")
            self.assertEqual((status, json.loads(text)["label"]), (200, "7"))
            self.assertEqual(post("/classify", digit, "spent")[0], 200)
            for path, body in (("/classify", digit), ("/classify", b"not a picture"), ("/v2/models/mnist/infer", b"[" * 100_000)):
                status, text, headers = post(path, body)
                self.assertEqual(status, 401, text)
                self.assertEqual(headers["WWW-Authenticate"], "Bearer")
                self.assertIn("wanted a token", json.loads(text)["error"])
                status, text, _ = post(path, body, "list")
                self.assertEqual(status, 403, text)
                self.assertIn("wanted the right classify", json.loads(text)["error"])
                # Neither the model nor what is left is asked about after the body.
                status, text, _ = post(path, body, "letters")
                self.assertEqual(status, 403, text)
                self.assertIn("may not use the model mnist", json.loads(text)["error"])
                status, text, _ = post(path, body, "spent")
                self.assertEqual(status, 429, text)
                self.assertIn("which are used up", json.loads(text)["error"])
            self.assertEqual(post("/v2/models/mnist/infer", b"[", "seven")[0], 400)
            self.assertEqual(self.rejected(server, "unauthenticated"), 3)
            self.assertEqual(self.rejected(server, "permission_denied"), 6)
            self.assertEqual(self.rejected(server, "budget"), 3)
            for path, status in (("/", 200), ("/v2/health/ready", 200), ("/v2/models/mnist", 401), ("/v2/models/stats", 401)):
                try:
                    with urllib.request.urlopen(f"http://{server.http_address}{path}", timeout=30) as answer:
                        found = answer.status
                except urllib.error.HTTPError as error:
                    found = error.code
                self.assertEqual(found, status, path)

    def test_the_command_line_makes_a_token_and_sends_it(self):
        path = os.path.join(self.folder, "shop.token")
        made = subprocess.run([CLI, "token", "new", "--output", path], capture_output=True, text=True, timeout=60, check=True)
        principal = json.loads("{" + made.stdout.strip().rstrip(",") + ', "may": ["classify", "introspect"]}')
        self.write({"shop": principal})
        picture = os.path.join(self.folder, "seven.png")
        with open(picture, "wb") as file:
            file.write(png(test_digits(1)[0][0], 32))
        with self.server("--model-control=on") as server:
            for command in (["describe"], ["classify", picture], ["models"], ["load", "--requests=50", "--warm-up=0s"]):
                done = server.cli(*command)
                self.assertEqual(done.returncode, 1, (command, done))
                self.assertRegex(done.stderr, "--token-file", command)
                done = server.cli(*command, "--token-file", path)
                self.assertEqual(done.returncode, 0, (command, done))
            done = server.cli("models", "rollback", "--model", "mnist", "--token-file", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("may not do this: wanted the right admin", done.stderr)
            self.assertEqual(server.cli("health").returncode, 0)
            with open(path, encoding="utf-8") as file:
                self.assertNotIn(file.read().strip(), server.stderr())

    def test_everybody_else_is_anonymous_if_the_file_has_that(self):
        self.write({"anonymous": {"may": ["classify"]}, "lister": {"token_sha256": sha256("list"), "may": "introspect"}})
        with self.server() as server, server.channel() as channel:
            self.assertEqual(outcome(stub(channel).Classify, request())[0], OK)
            self.assertEqual(outcome(stub(channel).ListModels, pb.ListModelsRequest())[0], PERMISSION_DENIED)
            # A token that is wrong is a mistake, and not nobody's.
            self.assertEqual(outcome(stub(channel).Classify, request(), metadata=bearer("wrong"))[0], UNAUTHENTICATED)

    def test_tokens_are_added_and_revoked_while_it_serves(self):
        self.write({"shop": {"token_sha256": sha256("old"), "may": "classify"}})
        with self.server() as server, server.channel() as channel:
            call = stub(channel).Classify
            self.assertEqual(outcome(call, request(), metadata=bearer("old"))[0], OK)
            self.write({"shop": {"token_sha256": sha256("new"), "may": "classify"}})
            wait_until(lambda: outcome(call, request(), metadata=bearer("new"))[0] == OK, "the new token holds")
            code, message = outcome(call, request(), metadata=bearer("old"))
            self.assertEqual((code, message), (UNAUTHENTICATED, "the token is not known here, or no longer"))
            # A file that is bad changes nothing.
            with open(self.path, "w", encoding="utf-8") as file:
                file.write('{"principals": {"shop": {"may": "everything"}}}')
            wait_until(lambda: "the old access file still holds" in server.stderr(), "it says that the file is bad")
            self.assertIn("principals.shop.may is", server.stderr())
            self.assertEqual(outcome(call, request(), metadata=bearer("new"))[0], OK)
            for token in ("old", "new", "watch"):
                self.assertNotRegex(server.stderr(), rf"\b(Bearer|token) {token}\b")

    def test_who_sends_more_than_allowed_is_told_when_to_come_again(self):
        self.write(
            {
                "slow": {"token_sha256": sha256("slow"), "may": "classify", "images_per_second": 0.5, "burst_images": 8},
                "quota": {"token_sha256": sha256("quota"), "may": "classify", "images_per_day": 100},
                "free": {"token_sha256": sha256("free"), "may": "classify"},
            }
        )
        with self.server() as server, server.channel() as channel:
            service = stub(channel)
            # A large request is let in while anything is left, and then owed.
            self.assertEqual(outcome(service.Classify, request(20), metadata=bearer("slow"))[0], OK)
            with self.assertRaises(grpc.RpcError) as raised:
                service.Classify(request(), metadata=bearer("slow"))
            self.assertEqual(raised.exception.code(), RESOURCE_EXHAUSTED)
            self.assertIn("0.5 images a second, which are used up", raised.exception.details())
            trailers = dict(raised.exception.trailing_metadata())
            self.assertIn(int(trailers["grpc-retry-pushback-ms"]), range(10_000, 26_001))
            self.assertIn(b"BUDGET", trailers["grpc-status-details-bin"])
            self.assertEqual(outcome(service.Classify, request(100), metadata=bearer("quota"))[0], OK)
            code, message = outcome(service.Classify, request(1), metadata=bearer("quota"))
            self.assertEqual(code, RESOURCE_EXHAUSTED)
            self.assertIn("100 images a day", message)
            # One of a stream is rejected alone.
            late = pb.ClassifyStreamRequest(id=1, images=image())
            answers = list(service.ClassifyStream(iter([late]), metadata=bearer("quota")))
            self.assertEqual(answers[0].error.code, RESOURCE_EXHAUSTED.value[0])
            self.assertGreater(answers[0].error.retry_after.ToMilliseconds(), 0)
            self.assertEqual(outcome(service.Classify, request(64), metadata=bearer("free"))[0], OK)
            self.assertEqual(self.rejected(server, "budget"), 3)
            # To read the file again gives nobody a new budget.
            self.write(
                {
                    "quota": {"token_sha256": sha256("quota 2"), "may": "classify", "images_per_day": 100},
                    "free": {"token_sha256": sha256("free"), "may": "classify"},
                }
            )
            wait_until(lambda: outcome(service.Classify, request(), metadata=bearer("quota"))[0] == UNAUTHENTICATED, "it holds")
            self.assertEqual(outcome(service.Classify, request(), metadata=bearer("quota 2"))[0], RESOURCE_EXHAUSTED)


class FileTest(AccessTestCase):
    def test_bad_files_name_what_is_wrong(self):
        good = {"token_sha256": sha256("a"), "may": "classify"}
        for principals, more, wanted in (
            ({}, {"principal": {}}, "principal is a value of the type object; wanted only jwt and principals"),
            ({"a": []}, {}, "principals.a is a value of the type array; wanted an object"),
            ({"a b": good}, {}, "names of 1 to 128 characters"),
            ({"a": {**good, "may": ["classify", "all"]}}, {}, 'principals.a.may is "all"; wanted classify, introspect, admin or observe'),
            ({"a": {"token_sha256": sha256("a")}}, {}, "principals.a.may is not there"),
            ({"a": {"may": "classify"}}, {}, "principals.a is somebody without any"),
            ({"anonymous": good}, {}, "principals.anonymous is somebody with credentials"),
            ({"a": {**good, "token_sha256": "secret"}}, {}, "principals.a.token_sha256 is a text of 6 characters"),
            ({"a": good, "b": good}, {}, "has not got already"),
            ({"a": {**good, "images_per_second": 0}}, {}, "images_per_second is 0; wanted a number above 0"),
            ({"a": {**good, "burst_images": 5}}, {}, "principals.a.images_per_second is not there"),
            ({"a": {**good, "modles": "x"}}, {}, "principals.a.modles is"),
            ({"a": {"certificate_names": "IP:shop.example", "may": "classify"}}, {}, '"shop.example" is no IP address'),
            ({"a": {"jwt_subjects": "x", "may": "classify"}}, {}, "jwt is not there"),
            ({"a": good}, {"jwt": {"keys": "none.json", "issuer": "i", "audience": "a"}}, "none.json"),
            ({"a": good}, {"jwt": {"keys": "none.json", "issuer": "i"}}, "jwt.audience is not there"),
        ):
            self.write(principals, **more)
            ended = run_server("--model", MODEL, "--listen=127.0.0.1:0", "--metrics-listen=off", "--access-file", self.path)
            self.assertEqual(ended.returncode, 1, principals)
            self.assertIn("option access-file: ", ended.stderr)
            self.assertIn(wanted, ended.stderr)
            self.assertNotIn("secret", ended.stderr)
        for text, wanted in (("", "does not begin with {"), ("s3cret", "does not begin with {"), ("{}", "principals is not there"), ('{"principals": {}}', "at least one")):
            with open(self.path, "w", encoding="utf-8") as file:
                file.write(text)
            ended = run_server("--model", MODEL, "--listen=127.0.0.1:0", "--metrics-listen=off", "--access-file", self.path)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(wanted, ended.stderr)
            self.assertNotIn("s3cret", ended.stderr)

    def test_core_dumps_and_debuggers_get_no_secrets(self):
        self.write({})
        with self.server(before=as_nobody(self)) as server:
            # The kernel gives the files of a process to root if it may not be dumped.
            self.assertEqual(os.stat(f"/proc/{server.process.pid}/environ").st_uid, 0)
        with Server(before=as_nobody(self)) as server:
            self.assertNotEqual(os.stat(f"/proc/{server.process.pid}/environ").st_uid, 0)


def as_nobody(test):
    """What makes the new process another user's, if this one is root's."""
    if os.geteuid() != 0:
        return None
    os.chmod(test.folder, 0o755)
    os.chmod(test.path, 0o644)

    def become():
        os.setgid(65534)
        os.setuid(65534)

    return become


@unittest.skipUnless(shutil.which("openssl"), "makes keys with openssl")
class SignedTokenTest(AccessTestCase):
    def key(self, name, kind):
        """A new private key: its path and its public part as a JSON Web Key."""
        path, public = os.path.join(self.folder, f"{name}.pem"), os.path.join(self.folder, f"{name}.pub")
        if kind == "RSA":
            openssl("genrsa", "-out", path, "2048")
            modulus = openssl("rsa", "-in", path, "-noout", "-modulus").stdout.decode().strip().partition("=")[2]
            return path, {"kty": "RSA", "kid": name, "use": "sig", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        openssl("ec", "-in", path, "-pubout", "-outform", "DER", "-out", public)
        with open(public, "rb") as file:
            point = file.read()[-64:]
        return path, {"kty": "EC", "kid": name, "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}

    def sign(self, path, algorithm, *, kid=None, header=None, **claims):
        """A token with these claims, which is good unless they say otherwise."""
        now = int(time.time())
        claims = {"iss": "https://login.example", "aud": "hellocnn", "sub": "robot", "exp": now + 600, **claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        head = {"alg": algorithm, "typ": "JWT", **({"kid": kid} if kid else {}), **(header or {})}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        if algorithm == "none":
            return signed + "."
        if algorithm == "HS256":
            signature = openssl("dgst", "-sha256", "-hmac", "guess", "-binary", input=signed.encode()).stdout
            return f"{signed}.{base64url(signature)}"
        signature = openssl("dgst", "-sha256", "-sign", path, input=signed.encode()).stdout
        if algorithm == "ES256":
            signature = self.fixed(signature)
        return f"{signed}.{base64url(signature)}"

    @staticmethod
    def fixed(der):
        """The two numbers of a signature in DER, of 32 bytes each."""
        numbers, at = b"", 2
        for _ in range(2):
            size = der[at + 1]
            numbers += der[at + 2 : at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + size
        return numbers

    def write_keys(self, *keys):
        with open(os.path.join(self.folder, "keys.json"), "w", encoding="utf-8") as file:
            json.dump({"keys": list(keys)}, file)

    def write_robot(self, **more):
        self.write(
            {"robot": {"jwt_subjects": "robot", "may": "classify"}},
            jwt={"keys": "keys.json", "issuer": "https://login.example", "audience": "hellocnn", **more},
        )

    def test_good_tokens_are_let_in_and_no_others(self):
        rsa, rsa_public = self.key("one", "RSA")
        ec, ec_public = self.key("two", "EC")
        other, _ = self.key("three", "RSA")
        self.write_keys(rsa_public, ec_public)
        self.write_robot()
        now = int(time.time())
        with self.server() as server, server.channel() as channel:
            call = stub(channel).Classify
            for token in (
                self.sign(rsa, "RS256", kid="one"),
                self.sign(rsa, "RS256"),
                self.sign(ec, "ES256", kid="two"),
                self.sign(rsa, "RS256", aud=["others", "hellocnn"], nbf=now - 60),
                self.sign(rsa, "RS256", exp=now - 5),  # clocks differ
            ):
                self.assertEqual(outcome(call, request(), metadata=bearer(token)), (OK, ""))
                self.assertEqual(outcome(call, request(), metadata=bearer(token)), (OK, ""))
            good = self.sign(rsa, "RS256", kid="one")
            bad = (
                (self.sign(rsa, "RS256", exp=now - 3600), "has expired at"),
                (self.sign(rsa, "RS256", exp=None), "does not say when it expires"),
                (self.sign(rsa, "RS256", exp="tomorrow"), "does not say when it expires"),
                (self.sign(rsa, "RS256", nbf=now + 3600), "is not valid before"),
                (self.sign(rsa, "RS256", iss="https://evil.example"), "another issuer"),
                (self.sign(rsa, "RS256", iss=None), "another issuer"),
                (self.sign(rsa, "RS256", aud="others"), "another audience"),
                (self.sign(rsa, "RS256", aud=None), "another audience"),
                (self.sign(rsa, "RS256", sub="somebody"), "subject that is not known"),
                (self.sign(rsa, "RS256", sub=None), "subject that is not known"),
                (self.sign(other, "RS256", kid="one"), "not signed by a key"),
                (self.sign(other, "RS256", kid="three"), "not signed by a key"),
                (self.sign(rsa, "none"), "token"),
                (self.sign(rsa, "HS256"), "is signed in a way that is not accepted"),
                (self.sign(rsa, "RS256", header={"crit": ["x"], "x": 1}), "crit"),
                (good[:-6] + "AAAAAA", "not signed by a key"),
                (good.replace(".", ".e30", 1), "not signed by a key"),
                ("a.b.c", "is no signed JSON Web Token"),
                ("..", "is no signed JSON Web Token"),
                # The library that reads tokens would end the process at these.
                ("eyJhbGciOiJFUzI1NiJ9.e30=.AAAAA", "is no signed JSON Web Token"),
                ("A.AAAAA.A=A", "is no signed JSON Web Token"),
            )
            for token, wanted in bad:
                code, message = outcome(call, request(), metadata=bearer(token))
                self.assertEqual(code, UNAUTHENTICATED, wanted)
                self.assertIn(wanted, message)
            self.assertEqual(self.rejected(server, "unauthenticated"), len(bad))

    def test_a_token_that_is_used_again_may_be_refused(self):
        key, public = self.key("one", "EC")
        self.write_keys(public)
        self.write_robot(single_use=True)
        digit = png(test_digits(1)[0][0], 32)
        with self.server("--http-listen=127.0.0.1:0") as server, server.channel() as channel:
            token = self.sign(key, "ES256", jti="1")
            self.assertEqual(outcome(stub(channel).Classify, request(), metadata=bearer(token))[0], OK)
            code, message = outcome(stub(channel).Classify, request(), metadata=bearer(token))
            self.assertEqual((code, message), (UNAUTHENTICATED, "the token was used before"))
            code, message = outcome(stub(channel).Classify, request(), metadata=bearer(self.sign(key, "ES256")))
            self.assertEqual(code, UNAUTHENTICATED)
            self.assertIn("has no id (jti)", message)
            for status, token in ((200, self.sign(key, "ES256", jti="2")), (401, token)):
                post = urllib.request.Request(f"http://{server.http_address}/classify", digit, {"Authorization": f"Bearer {token}"})
                try:
                    with urllib.request.urlopen(post, timeout=60) as answer:
                        self.assertEqual(answer.status, status)
                except urllib.error.HTTPError as error:
                    self.assertEqual(error.code, status)

    def test_keys_are_replaced_while_it_serves(self):
        old, old_public = self.key("one", "EC")
        new, new_public = self.key("two", "EC")
        self.write_keys(old_public)
        self.write_robot()
        with self.server() as server, server.channel() as channel:
            call = stub(channel).Classify
            token = self.sign(old, "ES256")
            self.assertEqual(outcome(call, request(), metadata=bearer(token))[0], OK)
            self.write_keys(new_public)
            wait_until(lambda: outcome(call, request(), metadata=bearer(self.sign(new, "ES256")))[0] == OK, "the new key holds")
            # Although it was found good before.
            self.assertEqual(outcome(call, request(), metadata=bearer(token))[0], UNAUTHENTICATED)

    def test_bad_keys_are_named(self):
        _, public = self.key("one", "RSA")
        small = os.path.join(self.folder, "small.pem")
        openssl("genrsa", "-out", small, "1024")
        modulus = openssl("rsa", "-in", small, "-noout", "-modulus").stdout.decode().strip().partition("=")[2]
        for keys, wanted in (
            ([], "has no key for signatures"),
            ([{**public, "use": "enc"}], "has no key for signatures"),
            ([{**public, "d": "AQAB"}], "keys[0] is private"),
            ([{"kty": "oct", "k": "c2VjcmV0"}], 'keys[0] has the type "oct"; wanted RSA or EC'),
            ([public, {"kty": "RSA", "e": "AQAB"}], "keys[1] cannot be used"),
            ([{"kty": "RSA", "n": "A", "e": "AQAB"}], "n is missing or no Base64 for URLs"),
            ([{**public, "n": base64url(bytes.fromhex(modulus))}], "keys[0] has 1024 bits; wanted at least 2048"),
            (["x"], "keys[0] is no object"),
        ):
            self.write_keys(*keys)
            self.write_robot()
            ended = run_server("--model", MODEL, "--listen=127.0.0.1:0", "--metrics-listen=off", "--access-file", self.path)
            self.assertEqual(ended.returncode, 1, keys)
            self.assertIn("keys.json: has", ended.stderr)
            self.assertIn(wanted, ended.stderr)



@unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
class CertificateTest(AccessTestCase):
    def test_callers_are_known_by_the_names_in_their_certificates_on_every_port(self):
        authority = Authority(self.folder)
        certificate, key = authority.issue("server")
        shop = authority.issue("shop", names="DNS:shop.example")
        ops = authority.issue("ops", names="URI:spiffe://example.org/ops")
        other = authority.issue("other", names="DNS:other.example")
        self.write(
            {
                "shop": {"certificate_names": "DNS:shop.example", "may": "classify"},
                "watcher": {"certificate_names": "URI:spiffe://example.org/ops", "may": ["observe", "introspect"]},
            }
        )
        flags = ["--transport=http2", "--http-listen=127.0.0.1:0", "--tls-ports=grpc,http,metrics", "--probe-listen=127.0.0.1:0"]
        files = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.certificate]
        with self.server(*flags, *files) as server:

            def channel(pair):
                credentials = grpc.ssl_channel_credentials(read(authority.certificate), read(pair[1]), read(pair[0]))
                return grpc.secure_channel(server.address, credentials)

            def get(address, path, pair, method="GET", body=None):
                context = ssl.create_default_context(cafile=authority.certificate)
                context.load_cert_chain(*pair)
                connection = http.client.HTTPSConnection(address, timeout=60, context=context)
                connection.request(method, path, body)
                answer = connection.getresponse()
                text = answer.read()
                connection.close()
                return answer.status, text

            digit = png(test_digits(1)[0][0], 32)
            for pair, classify, lists, metrics in (
                (shop, (OK, 200), PERMISSION_DENIED, 403),
                (ops, (PERMISSION_DENIED, 403), OK, 200),
                (other, (UNAUTHENTICATED, 401), UNAUTHENTICATED, 401),
            ):
                with channel(pair) as own:
                    self.assertEqual(outcome(stub(own).Classify, request())[0], classify[0])
                    self.assertEqual(outcome(stub(own).ListModels, pb.ListModelsRequest())[0], lists)
                self.assertEqual(get(server.http_address, "/classify", pair, "POST", digit)[0], classify[1])
                self.assertEqual(get(server.metrics_address, "/metrics", pair)[0], metrics)
            page = get(server.metrics_address, "/metrics", ops)[1].decode()
            for reason, wanted in (("unauthenticated", 3), ("permission_denied", 3)):
                found = re.findall(rf'^hellocnn_requests_refused_total\{{[^}}]*reason="{reason}"[^}}]*\}} (\S+)$', page, re.MULTILINE)
                self.assertEqual(sum(map(float, found)), wanted, reason)
            with urllib.request.urlopen(f"http://{server.probe_address}/readyz", timeout=30) as answer:
                self.assertEqual(answer.status, 200)


if __name__ == "__main__":
    unittest.main()
