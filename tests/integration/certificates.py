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

    def issue(self, name, *, days=2, kind="ec", names="DNS:localhost,IP:127.0.0.1", start=None):
        """The paths of a certificate with these alternative names and of its key. With days=-1 it has expired.

        `start` is when it begins to be valid, for ten years, if that is not now: "20900101000000Z".
        """
        certificate, key, request, extensions = (self._path(f"{name}.{ending}") for ending in ("pem", "key", "csr", "ext"))
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={names}\n" if names else "")
        new_key = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-new", *new_key, "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        if start:
            self._sign_from(start, request, extensions, certificate)
            return certificate, key
        openssl(
            *["x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"],
            *["-days", str(days), "-extfile", extensions, "-out", certificate],
        )
        return certificate, key

    def _sign_from(self, start, request, extensions, certificate):
        """Only `openssl ca` knows another start, and it wants files of its own."""
        database, configuration = self._path("ca.database"), self._path("ca.cnf")
        with open(database, "w", encoding="utf-8"):
            pass
        with open(configuration, "w", encoding="utf-8") as file:
            file.write("[ca]\ndefault_ca=own\n[own]\ndefault_md=sha256\npolicy=any\nrand_serial=yes\n")
            file.write(f"database={database}\nnew_certs_dir={self._folder}\n[any]\ncommonName=supplied\n")
        openssl(
            *["ca", "-batch", "-notext", "-config", configuration, "-cert", self.certificate, "-keyfile", self._key],
            *["-startdate", start, "-enddate", f"{int(start[:4]) + 10}{start[4:]}", "-extfile", extensions, "-in", request],
            *["-out", certificate],
        )


def read(path):
    with open(path, "rb") as file:
        return file.read()
