"""KServe's SDK against the server, unchanged. Prints "ok CASE" for each case, and stops at the first that fails.

    client.py --server HOST:PORT --data FOLDER [--rest HOST:PORT]

FOLDER has MNIST's test set. The server has the model mnist, with the versions 1 and 2.
"""

import argparse
import asyncio
import gzip
import os

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rest", help="HOST:PORT of the server's HTTP port, for more cases")
    arguments = parser.parse_args()
    raw = gzip.open(os.path.join(arguments.data, "t10k-images-idx3-ubyte.gz")).read()[16 : 16 + 8 * 784]
    labels = list(gzip.open(os.path.join(arguments.data, "t10k-labels-idx1-ubyte.gz")).read()[8:16])  # the model takes the ninth, a 5, for a 6
    images = np.frombuffer(raw, np.uint8).reshape(8, 28, 28)
    floats = ((images / 255.0 - 0.1307) / 0.3081).astype(np.float32)

    client = InferenceGRPCClient(arguments.server)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("mnist") and not await client.is_model_ready("nosuch")
    print("ok health", flush=True)

    for array, datatype in ((images, "UINT8"), (floats, "FP32")):
        for binary in (True, False):
            tensor = InferInput("input", list(array.shape), datatype)
            tensor.set_data_from_numpy(array, binary_data=binary)
            response = await client.infer(InferRequest(model_name="mnist", infer_inputs=[tensor], request_id="r-7"))
            outputs = {output.name: output.as_numpy() for output in response.outputs}
            assert list(outputs["class"]) == labels, (datatype, binary, outputs)
            assert [int(label) for label in outputs["label"]] == labels
            assert outputs["log_probabilities"].shape == (8, 10)
            assert response.id == "r-7" and response.model_version == "2"
            print(f"ok {datatype} {'raw' if binary else 'typed'}", flush=True)

    tensor = InferInput("input", [1, 3], "UINT8")
    tensor.set_data_from_numpy(np.zeros((1, 3), np.uint8), binary_data=True)
    try:
        await client.infer(InferRequest(model_name="mnist", infer_inputs=[tensor]))
        raise AssertionError("no error")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "inputs[0].shape is [1, 3]" in error.details(), error
    print("ok error", flush=True)
    await client.close()
    if arguments.rest is not None:
        await over_http(f"http://{arguments.rest}", images, floats, labels)


async def over_http(url, images, floats, labels):
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, "mnist") and not await client.is_model_ready(url, "nosuch")
    print("ok HTTP health", flush=True)
    for array, datatype in ((images, "UINT8"), (floats, "FP32")):
        for binary in (True, False):
            tensor = InferInput("input", list(array.shape), datatype)
            tensor.set_data_from_numpy(array, binary_data=binary)
            request = InferRequest(model_name="mnist", infer_inputs=[tensor], request_id="r-7")
            response = await client.infer(url, request, model_name="mnist")
            outputs = {output.name: output for output in response.outputs}
            assert list(outputs["class"].as_numpy()) == labels, (datatype, binary, outputs)
            assert outputs["log_probabilities"].as_numpy().shape == (8, 10)
            assert response.id == "r-7"  # the client drops the version
            print(f"ok HTTP {datatype} {'binary' if binary else 'JSON'}", flush=True)
    await client.close()


asyncio.run(main())
