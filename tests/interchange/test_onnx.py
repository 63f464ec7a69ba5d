"""ONNX: onnxruntime computes the net's probabilities, and the file comes back as the net."""

import json

import numpy as np
import pytest

import fastnet
from fastnet.interchange import from_onnx, to_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TYPES = [np.uint8, np.float32, np.float64]


def run(path, X):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"X": X})[0], session.get_modelmeta().custom_metadata_map


def kinds(path):
    return " ".join(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("input_dtype", TYPES)
@pytest.mark.parametrize("normalized", [False, "mean", "standard"])
@pytest.mark.parametrize("kind", ["TwoLayerNet", "SoftmaxClassifier"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_onnxruntime_gives_the_same_probabilities(
    make, probabilities, pixels, tmp_path, kind, dtype, normalized, input_dtype
):
    net, X, path = make(kind, dtype, normalized), pixels.astype(input_dtype), tmp_path / "net.onnx"
    to_onnx(net, path, input_dtype=input_dtype)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    found, _ = run(path, X)
    assert found.dtype == net.dtype
    np.testing.assert_allclose(found, probabilities(net, X), atol=1e-5 if dtype == np.float32 else 1e-13)


def test_it_predicts_as_fastnet_does(make, pixels, tmp_path):
    net, path = make(normalized="standard"), tmp_path / "net.onnx"
    to_onnx(net, path, input_dtype=np.uint8)
    np.testing.assert_allclose(run(path, pixels)[0], net.predict_proba(pixels), atol=1e-5)
    np.testing.assert_array_equal(from_onnx(path).predict_proba(pixels), net.predict_proba(pixels))


@pytest.mark.parametrize("normalized", [False, "mean", "standard"])
@pytest.mark.parametrize("input_dtype", TYPES)
def test_it_comes_back_to_the_last_bit(plain, same_bits, make, tmp_path, normalized, input_dtype):
    net, path = make(type(plain).__name__, plain.dtype, normalized), tmp_path / "net.onnx"
    to_onnx(net, path, input_dtype=input_dtype)
    back = from_onnx(path)
    assert same_bits(back, net)
    assert (back.normalization is None) == (not normalized)
    wide = np.promote_types(input_dtype, net.dtype)  # in which such rows are normalised
    for found, expected in zip(back._mean_and_scale(wide), net._mean_and_scale(wide), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_graph_does_what_is_needed_and_no_more(make, tmp_path):
    path = tmp_path / "net.onnx"
    to_onnx(make(), path)
    assert kinds(path) == "Gemm Relu Gemm Softmax"
    to_onnx(make("SoftmaxClassifier", normalized="mean"), path, input_dtype="uint8")
    assert kinds(path) == "Cast Sub Gemm Softmax"
    to_onnx(make(normalized="standard"), path, input_dtype=np.float64)
    assert kinds(path) == "Sub Mul Cast Gemm Relu Gemm Softmax"  # normalised in float64, as fastnet does it


def test_names_and_shapes_are_metadata(make, pixels, tmp_path):
    net, path = make(), tmp_path / "net.onnx"
    net.label_names, net.feature_names, net.image_shape = ["cat", "Übung", "", "owl"], list("abcdefg"), (1, 7, 1)
    to_onnx(net, path)
    _, told = run(path, pixels.astype(np.float32))
    assert json.loads(told["label_names"]) == ["cat", "Übung", "", "owl"]
    back = from_onnx(path)
    assert (back.label_names, back.feature_names, back.image_shape) == (
        net.label_names,
        net.feature_names,
        net.image_shape,
    )


def test_a_graph_as_pytorch_writes_it_is_read(make, same_bits, tmp_path):
    """Its Linear is a Gemm with the weight transposed, and it ends with the scores."""
    net = make()
    path = tmp_path / "net.onnx"
    to_onnx(net, path)
    model = onnx.load(path)
    for node in model.graph.node:
        if node.op_type == "Gemm":
            node.attribute.append(onnx.helper.make_attribute("transB", 1))
    for tensor in model.graph.initializer:
        if tensor.name.startswith("W"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(net.params[tensor.name].T), tensor.name))
    del model.graph.node[-1]
    model.graph.output[0].name = model.graph.node[-1].output[0]
    onnx.save(model, path)
    assert same_bits(from_onnx(path), net)


# --- files of others ---


def tensor(name, array):
    def change(model):
        (found,) = (t for t in model.graph.initializer if t.name == name)
        found.CopyFrom(onnx.numpy_helper.from_array(np.asarray(array), name))

    return change


def node(number, **changes):
    def change(model):
        found = model.graph.node[number]
        for name, value in changes.items():
            if isinstance(value, list):
                del found.input[:]
                found.input.extend(value)
            elif name in ("op_type", "domain"):
                setattr(found, name, value)
            else:
                found.attribute.append(onnx.helper.make_attribute(name, value))

    return change


def external(model):
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "/etc/passwd")


def more_bytes(model):
    model.graph.initializer[0].raw_data += bytes(4)


def another_output(model):
    model.graph.output.append(onnx.helper.make_tensor_value_info("more", onnx.TensorProto.FLOAT, ["N", 4]))


def told(model):
    onnx.helper.set_model_props(model, {"label_names": '["a"]'})


WRONG = {
    "another activation": (node(4, op_type="Tanh"), "its nodes are Cast, Sub, Mul, Gemm, Tanh, Gemm"),
    "another domain": (node(4, domain="com.example"), "Relu is of the domain com.example"),
    "a factor": (node(3, alpha=2.0), "Gemm has alpha=2.0, expected"),
    "a transposed input": (node(3, transA=1), "Gemm has transA=1, expected"),
    "softmax over the rows": (node(6, axis=0), "Softmax has axis=0, expected"),
    "a cast to integers": (node(0, to=3), "Cast has to=3, expected"),
    "a node fed by another": (node(4, op=["X"]), "Relu takes X, expected gemm_3"),
    "no bias": (node(3, op=["mul_2", "W1"]), "Gemm takes mul_2, W1, expected mul_2 and its parameters"),
    "parameters of two nodes": (node(5, op=["relu_4", "W1", "b2"]), "W1 is of two nodes, expected"),
    "parameters that are computed": (node(3, op=["mul_2", "W1", "X"]), "X is no tensor of this file"),
    "parameters in another file": (external, "W1 is no tensor of this file"),
    "two outputs": (another_output, "its inputs and outputs are X, probabilities, more, expected one of each"),
    "a weight of another size": (tensor("W2", np.ones((8, 4), np.float32)), "W2 takes 8 inputs, expected the 9"),
    "integers": (tensor("W1", np.ones((7, 9), np.int32)), "W1 is int32, expected float32 or float64"),
    "a nan": (tensor("b1", np.full(9, np.nan, np.float32)), "b1 holds nan or infinity"),
    "a mean of another size": (tensor("mean", np.ones(3, np.float32)), r"normalised by float32 of shape \(3,\)"),
    "a mean of rows": (tensor("mean", np.ones((7, 1), np.float32)), r"normalised by float32 of shape \(7, 1\)"),
    "more bytes": (more_bytes, "W1|reshape"),
    "names of others": (told, "label_names are"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_another_graph_is_refused(make, tmp_path, what):
    change, complaint = WRONG[what]
    path = tmp_path / "net.onnx"
    to_onnx(make(normalized="standard"), path, input_dtype=np.uint8)
    from_onnx(path)
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="not one of fastnet's two networks in ONNX") as caught:
        from_onnx(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ValueError, match=complaint):
        raise caught.value


@pytest.mark.parametrize("content", [b"", b"\x89PNG", bytes(1000)])
def test_what_is_no_onnx_is_refused(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="not one of fastnet's two networks in ONNX"):
        from_onnx(tmp_path / "net.onnx")
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "none.onnx")


def test_nothing_is_written_of_what_cannot_be(make, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_text("old")
    net = make()
    with pytest.raises(ValueError, match=r"input_dtype is .*int32.*, expected uint8, float32, float64"):
        to_onnx(net, path, input_dtype=np.int32)
    with pytest.raises(ValueError, match="input_dtype is 'pixels', expected uint8, float32, float64"):
        to_onnx(net, path, input_dtype="pixels")
    net.normalization = fastnet.Normalization(np.zeros(3))
    with pytest.raises(ValueError, match="3 features"):
        to_onnx(net, path)
    assert path.read_text() == "old"
