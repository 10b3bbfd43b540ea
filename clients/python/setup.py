"""Generates the messages of the protocol while the package is built."""

import os
import pathlib

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent
PROTO = "hellocnn/v1/classifier_service.proto"


def protos():
    """The folder of the protos: of the source tree, or what HELLOCNN_PROTOS names."""
    places = [os.environ.get("HELLOCNN_PROTOS"), HERE / "protos", HERE.parent.parent / "protos"]
    for place in filter(None, places):
        if (pathlib.Path(place) / PROTO).exists():
            return str(place)
    raise FileNotFoundError(f"there is no {PROTO} in {', '.join(str(place) for place in places if place)}; HELLOCNN_PROTOS can name the folder")


class BuildWithMessages(build_py):
    def run(self):
        super().run()
        import grpc_tools
        from grpc_tools import protoc

        out = os.path.join(self.build_lib, "")
        common = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")  # google/protobuf/*.proto
        status = protoc.main(["protoc", f"-I{protos()}", f"-I{common}", f"--python_out={out}", f"--pyi_out={out}", PROTO])
        if status != 0:
            raise RuntimeError(f"protoc failed with {status}")


setup(cmdclass={"build_py": BuildWithMessages})
