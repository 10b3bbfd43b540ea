"""The Kubernetes manifests, without a cluster: they render, decode strictly, and agree with each other and with the real server.

Rendering needs kustomize 5, which Debian 13 has and Debian 12 doesn't: without one, the base is checked as written.
"""

import copy
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.request

import yaml

import manifests
from manifests import CHECKS, ROOT, container, of_kind, pod_template, render, the
from testbed import SOURCE, Server, run_server

RENDERER = manifests.renderer()
PROMTOOL = shutil.which("promtool", path=os.path.join(SOURCE, "build/tools") + os.pathsep + os.environ["PATH"])
FOLDERS = [".", "overlays/local", "overlays/model_version", "overlays/production"]
# Those that no overlay in the tree has.
COMPONENTS = ["gateway", "model_config_map", "model_volume"]


def all_variants():
    """{name: objects} of everything that can be applied."""
    if RENDERER is None:
        return {"base, as written": manifests.unrendered_base()}
    with_component = {f"base with {component}": manifests.render_with(component) for component in COMPONENTS}
    return {**with_component, **{folder: render(folder) for folder in FOLDERS}}


class ManifestTest(unittest.TestCase):
    def test_every_manifest_passes_every_check(self):
        for folder, objects in all_variants().items():
            for name, check in CHECKS.items():
                with self.subTest(folder=folder, check=name):
                    check(objects)

    def test_every_check_can_fail(self):
        def container_of(objects):
            return container(objects)

        def spec_of(kind):
            return lambda objects: the(objects, kind)["spec"]

        def pod_of(objects):
            return pod_template(objects)["spec"]

        def container_with_volume(objects):
            pod_of(objects)["volumes"] = [{"name": "models", "configMap": {"name": "hellocnn-model"}}]
            return container(objects)

        def mounted_at(path, **options):
            return [{"name": "models", "mountPath": path, "readOnly": True, **options}]

        served = [{"name": "HELLOCNN_MODEL", "value": "/models/mnist/1"}]
        # check, what it should say, where, and what is put there
        mistakes = [
            ("check_schema", "replcas is not a field", spec_of("Deployment"), {"replcas": 3}),
            ("check_schema", "'40', wanted int", pod_of, {"terminationGracePeriodSeconds": "40"}),
            ("check_schema", "selector", spec_of("Deployment"), {"selector": None}),
            ("check_schema", "is not known", lambda objects: objects[0], {"apiVersion": "v7"}),
            ("check_schema", "wanted str", container_of, {"resources": {"limits": {"cpu": 2}}}),
            ("check_options", "thread", container_of, {"args": ["--thread=2"]}),
            ("check_options", "listen", container_of, {"args": ["--metrics-listen=[::]:9464"]}),
            ("check_options", "IPv6", container_of, {"args": ["--listen=0.0.0.0:8500", "--metrics-listen=[::]:9464"]}),
            ("check_options", "HELLOCNN_PORT", container_of, {"env": [{"name": "HELLOCNN_PORT", "value": "x"}]}),
            ("check_ports", "port grpc", container_of, {"args": ["--listen=[::]:8501"]}),
            ("check_ports", "port grpc of Service", spec_of("Service"),
             {"ports": [{"name": "grpc", "port": 80, "targetPort": "grpc"}]}),
            ("check_probes", "livenessProbe", container_of, {"livenessProbe": {"grpc": {"port": 9464}}}),
            ("check_probes", "readinessProbe", container_of, {"readinessProbe": {"httpGet": {"port": 8500}}}),
            ("check_stop", "wanted more than 32.5", pod_of, {"terminationGracePeriodSeconds": 30}),
            ("check_stop", "wanted more than 47.5", container_of, {"args": ["--drain-delay=20s", "--drain-timeout=25s"]}),
            ("check_selectors", "Service hellocnn ", spec_of("Service"), {"selector": {"app": "hellocnn"}}),
            ("check_selectors", "NetworkPolicy", spec_of("NetworkPolicy"), {"podSelector": {"matchLabels": {"app": "x"}}}),
            ("check_autoscaler", "target", spec_of("HorizontalPodAutoscaler"), {"scaleTargetRef": {"name": "other"}}),
            ("check_autoscaler", "replicas", spec_of("Deployment"), {"replicas": 3}),
            ("check_security", "enableServiceLinks", pod_of, {"enableServiceLinks": True}),
            ("check_security", "seccompProfile", pod_of,
             {"securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "Unconfined"}}}),
            ("check_security", "of the container", container_of, {"securityContext": {"readOnlyRootFilesystem": True}}),
            ("check_models", "each mounted once", pod_of, {"volumes": [{"name": "scratch", "emptyDir": {}}]}),
            ("check_models", "each mounted once", container_of, {"volumeMounts": mounted_at("/models")}),
            ("check_models", "is not in /models", container_with_volume, {"volumeMounts": mounted_at("/models")}),
            ("check_models", "is not in /models/mnist/2", container_with_volume,
             {"volumeMounts": mounted_at("/models/mnist/2"), "env": served}),
            ("check_models", "readOnly of /models", container_with_volume,
             {"volumeMounts": mounted_at("/models", readOnly=False), "env": served}),
            ("check_models", "never updated", container_with_volume,
             {"volumeMounts": mounted_at("/models", subPath="mnist"), "env": served}),
            ("check_network_policy", "egress", spec_of("NetworkPolicy"), {"egress": [{}]}),
            ("check_network_policy", "everyone", spec_of("NetworkPolicy"), {"ingress": [{"ports": [{"port": 8500}, {"port": 9464}]}]}),
            ("check_network_policy", "ports let in", spec_of("NetworkPolicy"), {"ingress": []}),
            ("check_security", "imagePullPolicy", container_of, {"imagePullPolicy": None}),
            ("check_namespaces", "default", lambda objects: the(objects, "Deployment")["metadata"], {"namespace": "default"}),
        ]
        if RENDERER is not None:
            mistakes += [
                ("check_monitoring", "selects", spec_of("ServiceMonitor"), {"selector": {"matchLabels": {"app": "x"}}}),
                ("check_monitoring", "intervall", lambda objects: the(objects, "ServiceMonitor")["spec"]["endpoints"][0],
                 {"intervall": "15s"}),
            ]
        self.assertEqual({name for name, *_ in mistakes} | {"check_monitoring", "check_gateway"}, CHECKS.keys())
        self.check_mistakes(list(all_variants().values())[-1], mistakes)

    @unittest.skipIf(RENDERER is None, "neither kustomize nor a kubectl with version 5 of it")
    def test_the_check_of_routes_can_fail(self):
        def spec_of(kind):
            return lambda objects: the(objects, kind)["spec"]

        def rule_of(kind):
            return lambda objects: the(objects, kind)["spec"]["rules"][0]

        self.check_mistakes(manifests.render_with("gateway"), [
            ("check_gateway", "each once", spec_of("HTTPRoute"), {"hostnames": ["grpc.hellocnn.example"]}),
            ("check_gateway", "Service of the GRPCRoute", rule_of("GRPCRoute"), {"backendRefs": [{"name": "other", "port": 8500}]}),
            ("check_gateway", "protocol of port 8080", rule_of("GRPCRoute"), {"backendRefs": [{"name": "hellocnn", "port": 8080}]}),
            ("check_ports", "port http", container, {"env": []}),
        ])

    def check_mistakes(self, sound, mistakes):
        for name, message, where, what in mistakes:
            with self.subTest(check=name, mistake=what):
                objects = copy.deepcopy(sound)
                where(objects).update(what)
                with self.assertRaisesRegex(AssertionError, re.escape(message)):
                    CHECKS[name](objects)


class KustomizationTest(unittest.TestCase):
    def test_every_file_is_used(self):
        """What no kustomization names would be forgotten silently. Values for another program's chart are the exception."""
        others = {"kustomization.yaml", "prometheus_adapter_values.yaml"}
        for folder, _, files in os.walk(ROOT):
            unused = set(files) - others
            if "kustomization.yaml" in files:
                with open(os.path.join(folder, "kustomization.yaml"), encoding="utf-8") as file:
                    (kustomization,) = manifests.parse(file.read())
                used = kustomization.get("resources", []) + [patch.get("path") for patch in kustomization.get("patches", [])]
                unused -= set(used)
            self.assertEqual(unused, set(), folder)

    def test_image_is_this_version_in_every_folder(self):
        with open(os.path.join(SOURCE, "CMakeLists.txt"), encoding="utf-8") as file:
            version = re.search(r"project\(hellocnn VERSION (\S+)", file.read())[1]
        for folder in ("base", "kserve"):
            (image,) = manifests.read(f"{folder}/kustomization.yaml")[0]["images"]
            self.assertEqual(image["newTag"], version, folder)
        if RENDERER is not None:
            for folder, objects in all_variants().items():
                self.assertEqual(container(objects)["image"], f"{image['newName']}:{version}", folder)

    @unittest.skipIf(RENDERER is None, "neither kustomize nor a kubectl with version 5 of it")
    def test_overlays_change_what_they_say(self):
        local, production = render("overlays/local"), render("overlays/production")
        self.assertEqual(the(local, "Deployment")["spec"]["replicas"], 1)
        self.assertEqual(of_kind(local, "HorizontalPodAutoscaler") + of_kind(local, "PodDisruptionBudget"), [])
        spec = the(production, "HorizontalPodAutoscaler")["spec"]
        self.assertEqual((spec["minReplicas"], spec["maxReplicas"]), (3, 40))
        self.assertEqual([metric["type"] for metric in spec["metrics"]], ["ContainerResource", "Pods"])
        zones = pod_template(production)["spec"]["topologySpreadConstraints"][0]
        self.assertEqual((zones["topologyKey"], zones["whenUnsatisfiable"]), ("topology.kubernetes.io/zone", "DoNotSchedule"))
        self.assertEqual(len(of_kind(production, "ServiceMonitor")), 1)
        self.assertEqual(len(of_kind(production, "PrometheusRule")), 1)

    @unittest.skipIf(RENDERER is None, "neither kustomize nor a kubectl with version 5 of it")
    def test_a_new_version_of_the_model_changes_the_pods_and_not_their_image(self):
        base, version = render("."), render("overlays/model_version")
        self.assertEqual(container(version)["image"], container(base)["image"])
        (volume,) = pod_template(version)["spec"]["volumes"]
        self.assertEqual(volume["image"], {"reference": "hellocnn-models:1", "pullPolicy": "IfNotPresent"})
        self.assertEqual(manifests.server_options(version)["model"][0], "/models")
        # The overlay alone says the tag.
        (patch,) = manifests.read("overlays/model_version/kustomization.yaml")[0]["patches"]
        self.assertIn("reference: hellocnn-models:1\n", patch["patch"])

    @unittest.skipIf(RENDERER is None, "neither kustomize nor a kubectl with version 5 of it")
    def test_the_overlay_for_a_gateway_is_as_documented(self):
        with open(os.path.join(SOURCE, "docs/operations.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```yaml\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        (documented,) = [block for block in blocks if "components/gateway" in block]
        objects = manifests.render_overlay({"resources": ["../../base"], **yaml.safe_load(documented)})
        for kind, host in (("GRPCRoute", "grpc.digits.example"), ("HTTPRoute", "digits.example")):
            spec = the(objects, kind)["spec"]
            self.assertEqual((spec["parentRefs"], spec["hostnames"]), ([{"name": "public", "namespace": "gateways"}], [host]))

    def test_the_image_of_models_is_a_repository(self):
        """The target `models` of the Dockerfile, which the component mounts as it is."""
        with open(os.path.join(SOURCE, "Dockerfile"), encoding="utf-8") as file:
            (stage,) = re.findall(r"^FROM scratch AS models\n((?:.+\n)+)", file.read(), re.MULTILINE)
        self.assertEqual(re.findall(r"^(?:COPY|RUN|ADD) .*", stage, re.MULTILINE), ["COPY models /"])


class KserveTest(unittest.TestCase):
    """The runtime and the service that uses it. KServe makes a pod from both: the container, with the ports of the service."""

    def setUp(self):
        files = manifests.read("kserve/serving_runtime.yaml") + manifests.read("kserve/inference_service.yaml")
        self.runtime, self.service = the(files, "ServingRuntime")["spec"], the(files, "InferenceService", "digits")["spec"]["predictor"]
        (self.container,) = self.runtime["containers"]
        self.options = manifests.options_of(self.container)

    def port(self, option):
        self.assertEqual(self.options[option][0].rpartition(":")[0], "[::]", option)
        return int(self.options[option][0].rpartition(":")[2])

    def test_the_service_chooses_what_the_runtime_has(self):
        model = self.service["model"]
        self.assertEqual(model["runtime"], "hellocnn")
        self.assertIn(model["modelFormat"], [{key: f[key] for key in ("name", "version")} for f in self.runtime["supportedModelFormats"]])
        self.assertIn(model["protocolVersion"], self.runtime["protocolVersions"])
        (port,) = model["ports"]
        self.assertEqual((port["name"], port["containerPort"]), ("h2c", self.port("listen")))
        self.assertEqual(self.port("http-listen"), 8080)  # KServe's, where the service names none
        self.assertEqual(str(self.port("metrics-listen")), self.runtime["annotations"]["prometheus.kserve.io/port"])
        self.assertEqual(self.options["model"][0], "/mnt/models")

    def test_the_container_is_that_of_the_deployment(self):
        files = manifests.unrendered_base()
        pod, other = pod_template(files)["spec"], container(files)
        for key in ("image", "imagePullPolicy", "resources"):
            self.assertEqual(self.container[key], other[key], key)
        self.assertEqual(self.container["securityContext"], {**pod["securityContext"], **other["securityContext"]})

    def test_it_ends_in_the_time_that_kubernetes_gives(self):
        needed = manifests.seconds(self.options["drain-delay"][0]) + manifests.seconds(self.options["drain-timeout"][0])
        self.assertLess(needed + manifests.CLOSE_SECONDS, 30)

    def test_a_volume_of_models_is_served_as_it_is(self):
        """As KServe mounts it, but for the place."""
        self.assertRegex(self.service["model"]["storageUri"], "^pvc://[a-z-]+$")
        arguments = [word for word in self.container["args"] if not re.match("--(listen|metrics-listen|model|http-listen)=", word)]
        with Server(*arguments, "--http-listen=127.0.0.1:0", model=os.path.join(SOURCE, "models")) as server:
            with urllib.request.urlopen(f"http://{server.http_address}/v2/models/mnist", timeout=30) as page:
                self.assertEqual(page.status, 200)
            server.terminate(signal.SIGINT)  # without the delay


class ServerTest(unittest.TestCase):
    def test_the_server_warns_of_service_links(self):
        """Why enableServiceLinks is false."""
        warned = run_server("--print-config", HELLOCNN_PORT="tcp://10.96.0.1:8500")
        self.assertEqual(warned.returncode, 0)
        self.assertIn("enableServiceLinks", warned.stderr)

    def test_autoscaler_reads_a_series_that_the_server_has(self):
        (patch,) = manifests.read("components/queue_time/autoscaler.yaml")[0]
        (values,) = manifests.read("components/queue_time/prometheus_adapter_values.yaml")
        (rule,) = values["rules"]["custom"]
        self.assertEqual(rule["name"]["as"], patch["value"]["pods"]["metric"]["name"])
        names = set(re.findall(r"hellocnn_\w+", rule["seriesQuery"] + rule["metricsQuery"]))
        self.assertEqual(names, {"hellocnn_queue_duration_seconds_sum", "hellocnn_queue_duration_seconds_count"})
        with Server() as server:
            self.assertLessEqual(names, {key.partition("{")[0] for key in server.metrics()})

    @unittest.skipIf(PROMTOOL is None, "no promtool, neither on PATH nor in build/tools")
    def test_rules_and_queries_are_promql(self):
        (values,) = manifests.read("components/queue_time/prometheus_adapter_values.yaml")
        query = values["rules"]["custom"][0]["metricsQuery"]
        query = query.replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'pod=~"a|b"')
        (rule,) = manifests.read("components/monitoring/prometheus_rule.yaml")
        groups = rule["spec"]["groups"] + [{"name": "adapter", "rules": [{"record": "queue", "expr": query}]}]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": groups}, file)
            file.flush()
            done = subprocess.run([PROMTOOL, "check", "rules", file.name], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
