"""Certificates that tests make with the openssl command line."""

import os
import subprocess


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60, **options)


class Authority:
    """A certificate authority whose files lie in `folder` and begin with `name`."""

    def __init__(self, folder, name="ca"):
        self._folder = folder
        self.certificate, self._key = self._path(f"{name}.pem"), self._path(f"{name}.key")
        openssl(
            *["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
            *["-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate],
        )

    def _path(self, name):
        return os.path.join(self._folder, name)

    def issue(self, name, *, days=2, kind="ec"):
        """The paths of a certificate for localhost and of its key. With days=-1 it has expired."""
        certificate, key, request, extensions = (self._path(f"{name}.{ending}") for ending in ("pem", "key", "csr", "ext"))
        with open(extensions, "w", encoding="utf-8") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        new_key = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-new", *new_key, "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl(
            *["x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"],
            *["-days", str(days), "-extfile", extensions, "-out", certificate],
        )
        return certificate, key


def read(path):
    with open(path, "rb") as file:
        return file.read()
