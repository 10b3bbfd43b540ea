"""Strict decoding of custom resources by the definitions of their projects: unknown fields, wrong types and values, and missing fields.

scripts/fetch-deploy-checks.sh fetches the definitions. Their rules in CEL are not evaluated.
"""

import glob
import os
import re

import yaml

TOOLS = os.environ.get(
    "HELLOCNN_DEPLOY_TOOLS",
    os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "hellocnn/deploy"),
)
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


def definitions():
    """{(apiVersion, kind): schema} of all definitions that were fetched."""
    found = {}
    for path in glob.glob(os.path.join(TOOLS, "crds/*/*.yaml")):
        with open(path, encoding="utf-8") as file:
            documents = [document for document in yaml.load_all(file, yaml.CSafeLoader) if document]
        for document in documents:
            if document["kind"] == "CustomResourceDefinition":
                spec = document["spec"]
                for version in spec["versions"]:
                    kind = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    found[kind] = version["schema"]["openAPIV3Schema"]
    return found


def errors_of(document, schema):
    """What is wrong with `document`, as a list of messages; empty if nothing is."""
    # The definitions leave the metadata to Kubernetes.
    return _errors({key: value for key, value in document.items() if key != "metadata"}, schema, document["kind"])


def _errors(value, schema, path):
    if schema.get("x-kubernetes-int-or-string"):
        return [] if isinstance(value, (int, str)) and not isinstance(value, bool) else [f"{path} is {value!r}, wanted a number or a string"]
    wanted = schema.get("type")
    if wanted and (not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
        return [f"{path} is {value!r}, wanted {wanted}"]
    errors = []
    if "enum" in schema and value not in schema["enum"]:
        errors.append(f"{path} is {value!r}, wanted one of {schema['enum']}")
    if isinstance(value, dict):
        errors += _object_errors(value, schema, path)
    elif isinstance(value, list):
        errors += _limit_errors(len(value), schema, "Items", path)
        errors += [error for i, item in enumerate(value) for error in _errors(item, schema["items"], f"{path}[{i}]")]
    elif isinstance(value, str):
        errors += _limit_errors(len(value), schema, "Length", path)
        if "pattern" in schema and not re.search(schema["pattern"], value):
            errors.append(f"{path} is {value!r}, wanted {schema['pattern']}")
    elif isinstance(value, (int, float)):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            errors.append(f"{path} is {value}, which is out of range")
    return errors


def _object_errors(value, schema, path):
    errors = [f"{path}.{key} is missing" for key in schema.get("required", []) if key not in value]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for key, item in value.items():
        if key in properties:
            errors += _errors(item, properties[key], f"{path}.{key}")
        elif isinstance(others, dict):
            errors += _errors(item, others, f"{path}.{key}")
        elif not others and not schema.get("x-kubernetes-preserve-unknown-fields"):
            errors.append(f"{path}.{key} is not a field")
    return errors


def _limit_errors(size, schema, what, path):
    least, most = schema.get("min" + what, 0), schema.get("max" + what, size)
    return [] if least <= size <= most else [f"{path} has {size} {what.lower()}, wanted {least} to {most}"]
