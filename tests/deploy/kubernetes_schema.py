"""Strict decoding of Kubernetes objects: unknown fields, wrong types and missing fields are errors.

The types are those of Debian's python3-kubernetes, which are generated from the API's own description: version 30 (Kubernetes
1.30) on Debian 13, 22 (1.22) on Debian 12.
"""

import re

from kubernetes import client

# What 1.22 does not know yet, as (type in 1.22, field): (type, since). With a newer client it isn't looked at.
NEWER_THAN_1_22 = {
    ("V1Probe", "grpc"): ("dict(str, object)", "1.24"),
    ("V1Handler", "sleep"): ("dict(str, int)", "1.30"),
    ("V1TopologySpreadConstraint", "matchLabelKeys"): ("list[str]", "1.27"),
    ("V1PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy"): ("str", "1.27"),
    ("V1Volume", "image"): ("dict(str, str)", "1.31"),
}
PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def errors_of(document):
    """What is wrong with `document`, as a list of messages; empty if nothing is."""
    name = type_of(document.get("apiVersion", ""), document.get("kind", ""))
    if name is None:
        return [f"{document.get('apiVersion')} {document.get('kind')} is not known"]
    return _errors(document, name, document["kind"])


def type_of(api_version, kind):
    """The client's name of the type, or None."""
    version = api_version.rpartition("/")[2]
    names = [version[:1].upper() + version[1:] + kind]
    if api_version == "autoscaling/v2":
        names.append("V2beta2" + kind)  # what became v2 in 1.23, unchanged
    return next((name for name in names if hasattr(client, name)), None)


def _errors(value, type_name, path):
    if value is None:
        return [f"{path} is empty"]
    if type_name == "object":  # anything, such as a number or a percentage
        return []
    if type_name in PLAIN:
        fits = isinstance(value, PLAIN[type_name]) and (type_name == "bool") == isinstance(value, bool)
        return [] if fits else [f"{path} is {value!r}, wanted {type_name}"]
    if match := re.fullmatch(r"list\[(.+)\]", type_name):
        if not isinstance(value, list):
            return [f"{path} is {value!r}, wanted a list"]
        return [e for i, item in enumerate(value) for e in _errors(item, match[1], f"{path}[{i}]")]
    if not isinstance(value, dict):
        return [f"{path} is {value!r}, wanted a mapping"]
    if match := re.fullmatch(r"dict\(str, (.+)\)", type_name):
        return [e for key, item in value.items() for e in _errors(item, match[1], f"{path}.{key}")]
    return _model_errors(value, type_name, path)


def _model_errors(value, type_name, path):
    model = getattr(client, type_name)
    attributes = {key: attribute for attribute, key in model.attribute_map.items()}
    errors = []
    for key, item in value.items():
        if key in attributes:
            field_type = model.openapi_types[attributes[key]]
        elif (type_name, key) in NEWER_THAN_1_22:
            field_type, _ = NEWER_THAN_1_22[type_name, key]
        else:
            errors.append(f"{path}.{key} is not a field of {type_name}")
            continue
        errors += _errors(item, field_type, f"{path}.{key}")
    try:  # the constructors refuse what lacks a required field
        model(**{attributes[key]: item for key, item in value.items() if key in attributes})
    except ValueError as error:
        errors.append(f"{path}: {error}")
    return errors
