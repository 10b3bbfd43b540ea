"""Reads the manifests of deploy/kubernetes and says what is wrong with them. No cluster is needed.

Each function in CHECKS takes the objects that would be applied together and raises AssertionError.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile

import yaml

import kubernetes_schema
from testbed import SOURCE, run_server

ROOT = os.path.join(SOURCE, "deploy/kubernetes")
# Besides --drain-delay and --drain-timeout, the server takes this long: 2 s in which clients understand, kGoodbye in
# server/rpc/transport/http2/http2_transport.cc, and some time to close the connections.
CLOSE_SECONDS = 2.5


class StrictLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys. Here they are an error."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, f"a key twice among {keys}", node.start_mark)
        return super().construct_mapping(node, deep)


def parse(text):
    return [document for document in yaml.load_all(text, StrictLoader) if document is not None]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return parse(file.read())


def renderer():
    """The command that renders a folder: kustomize, or a kubectl that carries version 5 or later of it. None without either."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    if shutil.which("kubectl"):
        known = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, timeout=60)
        version = json.loads(known.stdout).get("kustomizeVersion", "v0") if known.returncode == 0 else "v0"
        if int(re.match(r"v(\d+)", version)[1]) >= 5:
            return ["kubectl", "kustomize"]
    return None


def render(folder):
    """The objects that `kubectl apply -k` would apply. Warnings are errors: they announce what will stop working."""
    done = subprocess.run([*renderer(), os.path.join(ROOT, folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, f"{folder}: {done.stderr}"
    return parse(done.stdout)


def render_with(component):
    """The base with one component, which no overlay in the tree has."""
    return render_overlay({"resources": ["../../base"], "components": [f"../../components/{component}"]})


def render_overlay(kustomization):
    """The objects of an overlay that is not in the tree, but is rendered as if it were."""
    with tempfile.TemporaryDirectory() as folder:
        deploy = shutil.copytree(os.path.dirname(ROOT), os.path.join(folder, "deploy"))
        overlay = os.path.join(deploy, "kubernetes/overlays/of_a_test")
        os.mkdir(overlay)
        with open(os.path.join(overlay, "kustomization.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **kustomization}, file)
        return render(overlay)


def unrendered_base():
    return [document for file in read("base/kustomization.yaml")[0]["resources"] for document in read("base/" + file)]


def of_kind(objects, kind):
    return [o for o in objects if o["kind"] == kind]


def the(objects, kind, name="hellocnn"):
    found = [o for o in of_kind(objects, kind) if o["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}, wanted 1"
    return found[0]


def equal(seen, wanted, what):
    assert seen == wanted, f"{what}: {seen!r}, wanted {wanted!r}"


def pod_template(objects):
    return the(objects, "Deployment")["spec"]["template"]


def container(objects):
    containers = pod_template(objects)["spec"]["containers"]
    equal(len(containers), 1, "containers")
    return containers[0]


def container_ports(objects):
    return {port["name"]: port["containerPort"] for port in container(objects)["ports"]}


def server_options(objects):
    """What the real server makes of the container's arguments and environment: {option: (value, source)}."""
    return options_of(container(objects))


def options_of(spec):
    return _server_options(tuple(spec["args"]), tuple((v["name"], v["value"]) for v in spec.get("env", [])))


@functools.lru_cache(maxsize=None)
def _server_options(arguments, environment):
    done = run_server(*arguments, "--print-config", **dict(environment))
    assert done.returncode == 0 and not done.stderr, f"exit {done.returncode}: {done.stderr}"
    lines = re.findall(r'^([a-z-]+) += "?(.*?)"? +# (.*)$', done.stdout, re.MULTILINE)
    return {name: (value, source) for name, value, source in lines}


def seconds(duration):
    """As the server prints them: 1m30s, 25s, 200us."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([a-z]+)", duration))


def check_schema(objects):
    # kubernetes_checks_test.py has the definitions of most others.
    core = [o for o in objects if not o["apiVersion"].startswith(("monitoring.coreos.com/", "gateway.networking.k8s.io/"))]
    errors = [error for o in core for error in kubernetes_schema.errors_of(o)]
    assert not errors, "\n".join(errors)


def check_options(objects):
    for option, (value, source) in server_options(objects).items():
        if option in ("listen", "metrics-listen", "drain-delay", "drain-timeout"):
            equal(source, "flag", option)
        if option in ("listen", "metrics-listen") or (option == "http-listen" and value != "off"):
            equal(value.rpartition(":")[0], "[::]", option + ", reached from other pods by IPv4 or IPv6,")


def check_ports(objects):
    options = server_options(objects)
    ports = container_ports(objects)
    equal(ports["grpc"], int(options["listen"][0].rpartition(":")[2]), "port grpc")
    equal(ports["metrics"], int(options["metrics-listen"][0].rpartition(":")[2]), "port metrics")
    equal(str(ports.get("http", "off")), options["http-listen"][0].rpartition(":")[2], "port http")
    for service in of_kind(objects, "Service"):
        for port in service["spec"]["ports"]:
            equal(port["targetPort"], port["name"], f"target of Service {service['metadata']['name']}")
            equal(port["port"], ports[port["name"]], f"port {port['name']} of Service {service['metadata']['name']}")
    equal(the(objects, "Service", "hellocnn-headless")["spec"]["clusterIP"], "None", "headless Service")


def check_probes(objects):
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        equal(container(objects)[probe].get("grpc"), {"port": container_ports(objects)["grpc"]}, probe)


def check_stop(objects):
    spec = pod_template(objects)["spec"]
    options = server_options(objects)
    needed = seconds(options["drain-delay"][0]) + seconds(options["drain-timeout"][0]) + CLOSE_SECONDS
    grace = spec["terminationGracePeriodSeconds"]
    assert grace > needed, f"terminationGracePeriodSeconds {grace}, wanted more than {needed}"


def check_selectors(objects):
    labels = pod_template(objects)["metadata"]["labels"]
    selectors = {
        "Deployment": the(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": the(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    }
    for service in of_kind(objects, "Service"):
        selectors["Service " + service["metadata"]["name"]] = service["spec"]["selector"]
    for budget in of_kind(objects, "PodDisruptionBudget"):
        selectors["PodDisruptionBudget"] = budget["spec"]["selector"]["matchLabels"]
    for constraint in pod_template(objects)["spec"]["topologySpreadConstraints"]:
        selectors["spread over " + constraint["topologyKey"]] = constraint["labelSelector"]["matchLabels"]
    for what, selector in selectors.items():
        assert selector and selector.items() <= labels.items(), f"{what} selects {selector}, pods have {labels}"


def check_autoscaler(objects):
    for autoscaler in of_kind(objects, "HorizontalPodAutoscaler"):
        spec = autoscaler["spec"]
        equal(spec["scaleTargetRef"], {"apiVersion": "apps/v1", "kind": "Deployment", "name": "hellocnn"}, "target")
        assert "replicas" not in the(objects, "Deployment")["spec"], "both the autoscaler and replicas set a number"
        assert 2 <= spec["minReplicas"] < spec["maxReplicas"], "an eviction must leave a replica"
        equal(spec["metrics"][0]["containerResource"]["container"], container(objects)["name"], "container measured")
        equal(container(objects)["resources"]["requests"].keys(), {"cpu", "memory", "ephemeral-storage"}, "requests, of which CPU is a share,")


def check_security(objects):
    for level in ("enforce", "audit", "warn"):
        equal(the(objects, "Namespace")["metadata"]["labels"][f"pod-security.kubernetes.io/{level}"], "restricted", level)
    pod = pod_template(objects)["spec"]
    equal(pod["automountServiceAccountToken"], False, "automountServiceAccountToken of the pod")
    account = the(objects, "ServiceAccount", pod["serviceAccountName"])
    equal(account["automountServiceAccountToken"], False, "automountServiceAccountToken of the account")
    equal(pod["enableServiceLinks"], False, "enableServiceLinks")
    equal(pod["securityContext"]["runAsNonRoot"], True, "runAsNonRoot")
    assert pod["securityContext"]["runAsUser"] > 0, "runAsUser"
    equal(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"}, "seccompProfile")
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    equal(container(objects)["securityContext"], wanted, "securityContext of the container")
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        assert key not in pod, f"{key} is not needed"
    equal(container(objects)["resources"]["limits"].keys(), {"cpu", "memory", "ephemeral-storage"}, "limits")
    assert container(objects).get("imagePullPolicy") in ("IfNotPresent", "Always"), "imagePullPolicy is left to the cluster"


def check_models(objects):
    """All that is mounted are models, read-only, and among them is what is served."""
    volumes = pod_template(objects)["spec"].get("volumes", [])
    mounts = container(objects).get("volumeMounts", [])
    equal([volume["name"] for volume in volumes], [mount["name"] for mount in mounts], "volumes, each mounted once,")
    served = server_options(objects)["model"][0]
    for mount in mounts:
        equal(mount.get("readOnly"), True, f"readOnly of {mount['mountPath']}")
        assert "subPath" not in mount, f"{mount['mountPath']} is a subPath, which is never updated"
        assert (served + "/").startswith(mount["mountPath"] + "/"), f"--model {served} is not in {mount['mountPath']}"
    for volume in volumes:
        (kind,) = volume.keys() - {"name"}
        assert kind in ("configMap", "image", "persistentVolumeClaim"), f"a volume is {kind}"


def check_network_policy(objects):
    spec = the(objects, "NetworkPolicy")["spec"]
    equal(sorted(spec["policyTypes"]), ["Egress", "Ingress"], "policyTypes")
    equal(spec.get("egress", []), [], "egress")
    allowed = {port["port"] for rule in spec["ingress"] for port in rule["ports"]}
    equal(allowed, set(container_ports(objects).values()), "ports let in")
    for rule in spec["ingress"]:
        assert rule.get("from"), f"{rule} lets everyone in"


def check_namespaces(objects):
    for o in objects:
        if o["kind"] != "Namespace":
            equal(o["metadata"].get("namespace"), "hellocnn", f"namespace of {o['kind']} {o['metadata']['name']}")


def check_monitoring(objects):
    for monitor in of_kind(objects, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        services = [s for s in of_kind(objects, "Service") if selector.items() <= s["metadata"]["labels"].items()]
        equal(len(services), 1, "Services that the ServiceMonitor selects")  # two would scrape each replica twice
        for endpoint in monitor["spec"]["endpoints"]:
            known = {"port", "path", "interval", "scrapeTimeout", "relabelings"}
            assert endpoint.keys() <= known, f"{endpoint.keys() - known} in an endpoint of the ServiceMonitor"
            equal(endpoint["port"] in [port["name"] for port in services[0]["spec"]["ports"]], True, "its port is there")
            jobs = [r["replacement"] for r in endpoint["relabelings"] if r["targetLabel"] == "job"]
            equal(jobs, ["hellocnn-server"], "job")


def check_gateway(objects):
    """Routes lead to ports of the Service that speak what they carry, and share no host name."""
    ports = {port["port"]: port["appProtocol"] for port in the(objects, "Service")["spec"]["ports"]}
    hostnames = []
    for kind, protocol in (("GRPCRoute", "kubernetes.io/h2c"), ("HTTPRoute", "http")):
        for route in of_kind(objects, kind):
            hostnames += route["spec"]["hostnames"]
            for backend in (backend for rule in route["spec"]["rules"] for backend in rule["backendRefs"]):
                equal(backend["name"], "hellocnn", f"Service of the {kind}")
                equal(ports.get(backend["port"]), protocol, f"protocol of port {backend['port']}, to which the {kind} leads")
    equal(sorted(set(hostnames)), sorted(hostnames), "host names, each once")


CHECKS = {name: value for name, value in globals().items() if name.startswith("check_")}
