// Files of ONNX: those that PyTorch exports, and changed ones.
#include <algorithm>
#include <functional>
#include <random>

#include "hellocnn/formats/onnx/onnx.pb.h"
#include "hellocnn/formats/onnx/onnx_file.h"
#include "hellocnn/formats/onnx/onnx_tensor.h"
#include "tests/hellocnn/formats/weight_file_test.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string OnnxFile(const std::string& name) { return PytorchFile(name + ".onnx"); }

class GoodOnnxTest : public testing::TestWithParam<std::string> {};

TEST_P(GoodOnnxTest, HasTheNumbersThatPytorchExported) {
  EXPECT_EQ(LoadValues(OnnxFile(GetParam())), ReadFloats(PytorchFile("expected.f32")));
}

INSTANTIATE_TEST_SUITE_P(Files, GoodOnnxTest,
                         testing::Values("squeezed", "flattened", "opset_9", "opset_17",
                                         "not_folded", "viewed", "reshaped", "float64", "logits"),
                         [](const auto& test) { return test.param; });

// Changes of an exported file.
class ChangedOnnxTest : public testing::Test {
 protected:
  using Change = std::function<void(onnx::Graph& graph)>;

  ChangedOnnxTest() { model_.ParseFromString(ReadFile(OnnxFile("flattened"))); }

  std::string Write(const Change& change) {
    onnx::Model model = model_;
    change(*model.mutable_graph());
    return directory_.Write("w.onnx", model.SerializeAsString());
  }
  // Returns the error, without the path.
  std::string ErrorOf(const Change& change) { return LoadError(Write(change)); }
  // Loads the file, which must have the numbers of the exported one, and returns the notes.
  std::vector<std::string> NotesOf(const Change& change) {
    const std::string path = Write(change);
    EXPECT_EQ(LoadValues(path), ReadFloats(PytorchFile("expected.f32")));
    std::vector<std::string> notes;
    LoadWeightFile(path, &notes).status().IgnoreError();
    return notes;
  }

  static onnx::Node& NodeOf(onnx::Graph& graph, const std::string& type, int number = 0) {
    for (onnx::Node& node : *graph.mutable_node()) {
      if (node.op_type() == type && number-- == 0) return node;
    }
    ADD_FAILURE() << type;
    return *graph.mutable_node(0);
  }
  static onnx::Attribute& AttributeOf(onnx::Node& node, const std::string& name) {
    for (onnx::Attribute& attribute : *node.mutable_attribute()) {
      if (attribute.name() == name) return attribute;
    }
    onnx::Attribute& added = *node.add_attribute();
    added.set_name(name);
    return added;
  }
  static onnx::Tensor& TensorOf(onnx::Graph& graph, const std::string& name) {
    for (onnx::Tensor& tensor : *graph.mutable_initializer()) {
      if (tensor.name() == name) return tensor;
    }
    ADD_FAILURE() << name;
    return *graph.mutable_initializer(0);
  }
  static onnx::Node& AddNode(onnx::Graph& graph, const std::string& type, const std::string& input,
                             const std::string& output) {
    onnx::Node& node = *graph.add_node();
    node.set_op_type(type);
    node.add_input(input);
    node.add_output(output);
    return node;
  }
  // Transposes the values of a matrix.
  static void Transpose(onnx::Tensor& tensor) {
    const StoredTensor transposed = ReadOnnxTensor(tensor, /*transpose=*/true).value();
    tensor.clear_raw_data();
    tensor.clear_dims();
    for (const std::int64_t extent : transposed.tensor.shape) tensor.add_dims(extent);
    for (const float value : transposed.tensor.values) tensor.add_float_data(value);
  }

  onnx::Model model_;
  TemporaryDirectory directory_;
};

TEST_F(ChangedOnnxTest, NamesDoNotMatter) {
  EXPECT_THAT(NotesOf([](onnx::Graph& graph) {
                int number = 0;
                for (onnx::Tensor& tensor : *graph.mutable_initializer()) {
                  const std::string name = "onnx::MatMul_" + std::to_string(number++);
                  for (onnx::Node& node : *graph.mutable_node()) {
                    for (std::string& input : *node.mutable_input()) {
                      if (input == tensor.name()) input = name;
                    }
                  }
                  tensor.set_name(name);
                }
              }),
              IsEmpty());
}

TEST_F(ChangedOnnxTest, DenseLayersMayBeMatMulAndAdd) {
  for (const bool bias_first : {false, true}) {
    EXPECT_THAT(NotesOf([&](onnx::Graph& graph) {
                  onnx::Node& node = NodeOf(graph, "Gemm");
                  const std::string bias = node.input(2);
                  const std::string output = node.output(0);
                  Transpose(TensorOf(graph, node.input(1)));
                  node.set_op_type("MatMul");
                  node.clear_attribute();
                  node.mutable_input()->RemoveLast();
                  node.set_output(0, "product");
                  AddNode(graph, "Add", bias_first ? bias : "product", output)
                      .add_input(bias_first ? "product" : bias);
                }),
                IsEmpty());
  }
}

TEST_F(ChangedOnnxTest, WeightsMayBeConstantsAndTransposed) {
  EXPECT_THAT(NotesOf([](onnx::Graph& graph) {
                onnx::Tensor& bias = TensorOf(graph, "linear.2.bias");
                onnx::Node& constant = *graph.add_node();
                constant.set_op_type("Constant");
                constant.add_output("linear.2.bias");
                *AttributeOf(constant, "value").mutable_t() = bias;
                bias.set_name("unused");

                onnx::Node& gemm = NodeOf(graph, "Gemm");
                Transpose(TensorOf(graph, gemm.input(1)));
                AddNode(graph, "Transpose", gemm.input(1), "turned");
                gemm.set_input(1, "turned");

                AddNode(graph, "Identity", "conv.3.weight", "alias");
                NodeOf(graph, "Conv", 1).set_input(1, "alias");
              }),
              IsEmpty());
}

TEST_F(ChangedOnnxTest, AttributesMayHaveTheirDefaults) {
  EXPECT_THAT(NotesOf([](onnx::Graph& graph) {
                NodeOf(graph, "Conv").clear_attribute();
                AttributeOf(NodeOf(graph, "Conv", 1), "auto_pad").set_s("NOTSET");
                AttributeOf(NodeOf(graph, "MaxPool"), "auto_pad").set_s("VALID");
                AttributeOf(NodeOf(graph, "LogSoftmax"), "axis").set_i(-1);
              }),
              IsEmpty());
}

TEST_F(ChangedOnnxTest, TransposeThatTurnsNothingIsNotTakenForOne) {
  const auto error = [&](int first, int second) {
    return ErrorOf([&](onnx::Graph& graph) {
      onnx::Node& gemm = NodeOf(graph, "Gemm");
      onnx::Node& transpose = AddNode(graph, "Transpose", gemm.input(1), "turned");
      AttributeOf(transpose, "perm").add_ints(first);
      AttributeOf(transpose, "perm").add_ints(second);
      gemm.set_input(1, "turned");
    });
  };
  EXPECT_THAT(error(0, 1), HasSubstr("no values of turned, which is linear.0.weight"));
  EXPECT_THAT(error(1, 0), HasSubstr("tensor linear.0.weight has shape [120, 84]"));
}

TEST_F(ChangedOnnxTest, WhatDoesNothingIsSkipped) {
  EXPECT_THAT(NotesOf([](onnx::Graph& graph) {
                onnx::Node& relu = NodeOf(graph, "Relu", 3);
                AddNode(graph, "Dropout", relu.input(0), "kept");
                relu.set_input(0, "kept");
              }),
              IsEmpty());
}

TEST_F(ChangedOnnxTest, EndWithoutLogSoftmaxIsNoted) {
  std::vector<std::string> notes;
  LoadWeightFile(OnnxFile("logits"), &notes).status().IgnoreError();
  EXPECT_THAT(notes, ElementsAre(HasSubstr("ends with a dense layer")));
  EXPECT_THAT(
      NotesOf([](onnx::Graph& graph) { NodeOf(graph, "LogSoftmax").set_op_type("Softmax"); }),
      ElementsAre(HasSubstr("ends with Softmax")));
}

TEST_F(ChangedOnnxTest, Float64IsNoted) {
  std::vector<std::string> notes;
  LoadWeightFile(OnnxFile("float64"), &notes).status().IgnoreError();
  EXPECT_THAT(notes, ElementsAre(HasSubstr("rounded float64")));
}

TEST_F(ChangedOnnxTest, OtherNetworksAreNamed) {
  EXPECT_THAT(LoadError(OnnxFile("other")), AllOf(HasSubstr("Gemm"), HasSubstr("wanted Conv")));
  EXPECT_THAT(LoadError(OnnxFile("without_weights")), HasSubstr("export_params=True"));
  const auto error = [&](const Change& change) { return ErrorOf(change); };
  EXPECT_THAT(error([](onnx::Graph& graph) { NodeOf(graph, "Relu", 1).set_op_type("Tanh"); }),
              AllOf(HasSubstr("Tanh"), HasSubstr("wanted Relu for layer conv.4")));
  EXPECT_THAT(error([](onnx::Graph& graph) { NodeOf(graph, "Conv").set_domain("com.example"); }),
              HasSubstr("wanted Conv for layer conv.0"));
  EXPECT_THAT(error([](onnx::Graph& graph) {
                AttributeOf(NodeOf(graph, "Conv"), "strides").set_ints(1, 2);
              }),
              HasSubstr("strides has 2; wanted 1"));
  EXPECT_THAT(
      error([](onnx::Graph& graph) { AttributeOf(NodeOf(graph, "Conv"), "pads").set_ints(3, 2); }),
      HasSubstr("pads has 2; wanted 0"));
  EXPECT_THAT(error([](onnx::Graph& graph) {
                AttributeOf(NodeOf(graph, "MaxPool"), "kernel_shape").set_ints(0, 2);
              }),
              HasSubstr("kernel_shape has 2; wanted 15"));
  EXPECT_THAT(error([](onnx::Graph& graph) {
                AttributeOf(NodeOf(graph, "MaxPool"), "kernel_shape").clear_ints();
              }),
              HasSubstr("kernel_shape has 0 numbers; wanted 2"));
  EXPECT_THAT(error([](onnx::Graph& graph) { NodeOf(graph, "MaxPool").clear_attribute(); }),
              HasSubstr("has no kernel_shape; wanted 15"));
  EXPECT_THAT(error([](onnx::Graph& graph) {
                AttributeOf(NodeOf(graph, "MaxPool"), "ceil_mode").set_i(1);
              }),
              HasSubstr("ceil_mode is 1; wanted 0"));
  EXPECT_THAT(
      error([](onnx::Graph& graph) { AttributeOf(NodeOf(graph, "Conv", 1), "group").set_i(2); }),
      HasSubstr("group is 2; wanted 1"));
  EXPECT_THAT(error([](onnx::Graph& graph) {
                AttributeOf(NodeOf(graph, "Conv", 1), "auto_pad").set_s("SAME_UPPER");
              }),
              HasSubstr("auto_pad is SAME_UPPER; wanted NOTSET or VALID"));
  EXPECT_THAT(
      error([](onnx::Graph& graph) { AttributeOf(NodeOf(graph, "Gemm"), "alpha").set_f(0.5F); }),
      HasSubstr("alpha is 0.5"));
  EXPECT_THAT(
      error([](onnx::Graph& graph) { AttributeOf(NodeOf(graph, "Gemm"), "transA").set_i(1); }),
      HasSubstr("transA is 1; wanted 0"));
  EXPECT_THAT(
      error([](onnx::Graph& graph) { AttributeOf(NodeOf(graph, "LogSoftmax"), "axis").set_i(0); }),
      HasSubstr("axis is 0; wanted 1"));
  EXPECT_THAT(error([](onnx::Graph& graph) {
                AddNode(graph, "Exp", graph.output(0).name(), "more");
                graph.mutable_output(0)->set_name("more");
              }),
              AllOf(HasSubstr("Exp"), HasSubstr("behind HelloCNN's last layer")));
  EXPECT_THAT(error([](onnx::Graph& graph) {
                onnx::Node& pool = NodeOf(graph, "MaxPool", 1);
                AddNode(graph, "Reshape", pool.input(0), "other shape");
                pool.set_input(0, "other shape");
              }),
              AllOf(HasSubstr("Reshape"), HasSubstr("wanted MaxPool for layer conv.5")));
}

TEST_F(ChangedOnnxTest, BadGraphsAreErrors) {
  EXPECT_THAT(ErrorOf([](onnx::Graph& graph) { graph.Clear(); }), HasSubstr("has 0 outputs"));
  EXPECT_THAT(ErrorOf([](onnx::Graph& graph) { graph.add_output(); }), HasSubstr("has 2 outputs"));
  EXPECT_THAT(ErrorOf([](onnx::Graph& graph) {
                graph.mutable_output(0)->set_name(NodeOf(graph, "Gemm").output(0));
              }),
              HasSubstr("ends before Relu for layer linear.1"));
  EXPECT_THAT(ErrorOf([](onnx::Graph& graph) {
                NodeOf(graph, "Conv").set_input(0, NodeOf(graph, "Relu", 3).output(0));
              }),
              HasSubstr("more than 256 nodes"));
  EXPECT_THAT(ErrorOf([](onnx::Graph& graph) { NodeOf(graph, "Conv").clear_input(); }),
              HasSubstr("has no input"));
  EXPECT_THAT(
      ErrorOf([](onnx::Graph& graph) { NodeOf(graph, "Conv").mutable_input()->RemoveLast(); }),
      HasSubstr("has 2 inputs; wanted 3, of which the last is conv.0.bias"));
  EXPECT_THAT(ErrorOf([](onnx::Graph& graph) {
                AddNode(graph, "Identity", "b", "a");
                AddNode(graph, "Identity", "a", "b");
                NodeOf(graph, "Conv").set_input(1, "a");
              }),
              HasSubstr("no values of a, which is conv.0.weight"));
}

TEST_F(ChangedOnnxTest, BadTensorsAreErrors) {
  const auto error = [&](const std::function<void(onnx::Tensor&)>& change) {
    return ErrorOf([&](onnx::Graph& graph) { change(TensorOf(graph, "conv.3.bias")); });
  };
  EXPECT_THAT(error([](onnx::Tensor& tensor) { tensor.set_data_location(1); }),
              AllOf(HasSubstr("tensor conv.3.bias"), HasSubstr("external_data=False")));
  EXPECT_THAT(error([](onnx::Tensor& tensor) { tensor.set_data_type(7); }),
              HasSubstr("its type has the number 7"));
  EXPECT_THAT(error([](onnx::Tensor& tensor) { tensor.mutable_raw_data()->pop_back(); }),
              HasSubstr("but 15 values; wanted 16"));
  EXPECT_THAT(error([](onnx::Tensor& tensor) { tensor.mutable_raw_data()->push_back('x'); }),
              HasSubstr("has shape [16], but 16 values"));
  EXPECT_THAT(error([](onnx::Tensor& tensor) { tensor.clear_raw_data(); }),
              HasSubstr("but 0 values; wanted 16"));
  EXPECT_THAT(error([](onnx::Tensor& tensor) { tensor.set_dims(0, -1); }),
              HasSubstr("the extent -1"));
  EXPECT_THAT(error([](onnx::Tensor& tensor) { tensor.set_dims(0, std::int64_t{1} << 62); }),
              HasSubstr("wanted at most"));
  EXPECT_THAT(error([](onnx::Tensor& tensor) {
                for (int i = 0; i < 8; ++i) tensor.add_dims(1);
              }),
              HasSubstr("has 9 dimensions"));
  EXPECT_THAT(error([](onnx::Tensor& tensor) {
                tensor.mutable_raw_data()->replace(0, 4, std::string("\0\0\xc0\x7f", 4));
              }),
              AllOf(HasSubstr("conv.3.bias"), HasSubstr("nan")));
  EXPECT_THAT(ErrorOf([](onnx::Graph& graph) {
                TensorOf(graph, "linear.0.weight").add_dims(1);
                AttributeOf(NodeOf(graph, "Gemm"), "transB").set_i(0);
              }),
              HasSubstr("wanted a matrix"));
}

TEST(OnnxTensorTest, NumbersMayBeInFieldsOfTheirOwn) {
  const auto read = [](int type, const std::function<void(onnx::Tensor&)>& fill) {
    onnx::Tensor tensor;
    tensor.set_data_type(type);
    tensor.add_dims(2);
    fill(tensor);
    return ReadOnnxTensor(tensor, /*transpose=*/false).value().tensor.values;
  };
  EXPECT_THAT(read(1,
                   [](onnx::Tensor& tensor) {
                     tensor.add_float_data(1.5F);
                     tensor.add_float_data(-2);
                   }),
              ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(read(11,
                   [](onnx::Tensor& tensor) {
                     tensor.add_double_data(1.5);
                     tensor.add_double_data(-2);
                   }),
              ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(read(10,
                   [](onnx::Tensor& tensor) {
                     tensor.add_int32_data(0x3e00);
                     tensor.add_int32_data(0xc000);
                   }),
              ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(read(16,
                   [](onnx::Tensor& tensor) {
                     tensor.add_int32_data(0x3fc0);
                     tensor.add_int32_data(0xc000);
                   }),
              ElementsAre(1.5F, -2.0F));
}

TEST_F(ChangedOnnxTest, DamagedFilesAreErrorsAndNeverCrash) {
  const std::string good = ReadFile(OnnxFile("flattened"));
  for (std::size_t size = 2; size < good.size(); size += size < 2048 ? 13 : 9973) {
    EXPECT_FALSE(LoadError(directory_.Write("w.onnx", good.substr(0, size))).empty()) << size;
  }
  EXPECT_THAT(LoadError(directory_.Write("w.onnx", good + std::string(2 << 20, 'x'))),
              HasSubstr("ONNX of more than 2097152 bytes"));
  std::mt19937 random(1);
  for (std::size_t at = 0; at < 3000; at += 29) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    const absl::Status status = LoadWeightFile(directory_.Write("w.onnx", bytes)).status();
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  }
}

}  // namespace
}  // namespace hellocnn
