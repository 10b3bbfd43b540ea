"""A client that shares nothing with the server but the .proto: Debian's Python, with stubs that protoc generated."""

import math
import struct
import unittest

import grpc

from testbed import Server, pb, stub, test_digits


class PythonClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.channel = cls.server.channel()
        cls.stub = stub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        assert cls.server.stop() == 0

    def test_classifies_one_digit(self):
        pixels, label = test_digits(1)[0]
        response = self.stub.Classify(
            pb.ClassifyRequest(images=[pb.Image(gray8=pixels)]), timeout=30
        )
        self.assertEqual(len(response.predictions), 1)
        prediction = response.predictions[0]
        self.assertEqual(prediction.class_index, label)
        self.assertEqual(prediction.label, str(label))
        self.assertEqual(len(prediction.log_probabilities), 10)
        self.assertTrue(all(value <= 0 for value in prediction.log_probabilities))
        self.assertAlmostEqual(sum(map(math.exp, prediction.log_probabilities)), 1, places=5)
        self.assertEqual(response.model.version, self.model().version.version)
        self.assertEqual(response.model.name, self.model().version.name)
        self.assertGreaterEqual(response.timing.batch_size, 1)
        self.assertGreater(response.timing.compute_duration.ToNanoseconds(), 0)
        self.assertGreaterEqual(response.timing.queue_duration.ToNanoseconds(), 0)

    def test_grey_levels_and_normalised_floats_are_the_same_image(self):
        preprocessing = self.model().preprocessing
        pixels, _ = test_digits(1)[0]
        floats = [
            (grey / 255 - preprocessing.mean) / preprocessing.standard_deviation for grey in pixels
        ]
        both = [pb.Image(gray8=pixels), pb.Image(float32=struct.pack("<1024f", *floats))]
        of_gray, of_float = self.stub.Classify(
            pb.ClassifyRequest(images=both), timeout=30
        ).predictions
        for a, b in zip(of_gray.log_probabilities, of_float.log_probabilities):
            self.assertAlmostEqual(a, b, delta=1e-4)

    def test_a_call_larger_than_a_batch_is_answered_in_order(self):
        limits = self.stub.GetModel(pb.GetModelRequest(), timeout=30).limits
        count = 3 * limits.max_batch_size + 1
        self.assertLessEqual(count, limits.max_images_per_request)
        digits = test_digits(count)
        images = [pb.Image(gray8=pixels) for pixels, _ in digits]
        together = self.stub.Classify(pb.ClassifyRequest(images=images), timeout=60).predictions
        self.assertEqual(len(together), count)
        right = sum(p.class_index == label for p, (_, label) in zip(together, digits))
        self.assertGreater(right / count, 0.9)
        for i in range(0, count, 17):
            alone = self.stub.Classify(pb.ClassifyRequest(images=[images[i]]), timeout=30)
            self.assertEqual(alone.predictions[0].class_index, together[i].class_index)

    def test_stream_answers_every_id_once(self):
        digits = test_digits(64)
        requests = (
            pb.ClassifyStreamRequest(id=1000 + i, images=[pb.Image(gray8=pixels)])
            for i, (pixels, _) in enumerate(digits)
        )
        answers = {}
        for answer in self.stub.ClassifyStream(requests, timeout=60):
            self.assertEqual(answer.WhichOneof("outcome"), "result", answer)
            self.assertNotIn(answer.id, answers)
            answers[answer.id] = answer.result.predictions[0].class_index
        self.assertEqual(sorted(answers), list(range(1000, 1064)))
        right = sum(answers[1000 + i] == label for i, (_, label) in enumerate(digits))
        self.assertGreater(right / len(digits), 0.9)

    def test_a_bad_request_does_not_end_the_stream(self):
        pixels, label = test_digits(1)[0]
        requests = [
            pb.ClassifyStreamRequest(id=1, images=[pb.Image(gray8=pixels[:-1])]),
            pb.ClassifyStreamRequest(id=2, images=[pb.Image(gray8=pixels)]),
        ]
        answers = {a.id: a for a in self.stub.ClassifyStream(iter(requests), timeout=30)}
        self.assertEqual(answers[1].error.code, grpc.StatusCode.INVALID_ARGUMENT.value[0])
        self.assertEqual(answers[2].result.predictions[0].class_index, label)

    def test_model_describes_the_network(self):
        model = self.model()
        self.assertEqual(model.parameter_count, 61706)
        self.assertEqual(model.multiply_adds, 416520)
        self.assertEqual(len(model.layers), 12)
        self.assertEqual(sum(layer.parameter_count for layer in model.layers), 61706)
        self.assertEqual(sum(layer.multiply_adds for layer in model.layers), 416520)
        self.assertEqual(list(model.class_labels), [str(i) for i in range(10)])

    def model(self):
        return self.stub.GetModel(pb.GetModelRequest(), timeout=30).model


if __name__ == "__main__":
    unittest.main()
