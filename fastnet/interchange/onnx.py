"""ONNX: raw rows in, probabilities out; the normalisation is part of the graph.

    X -> Cast -> Sub(mean) -> Mul(scale) -> Cast -> Gemm(W1, b1) -> Relu -> Gemm(W2, b2) -> Softmax -> probabilities

A SoftmaxClassifier has one Gemm(W, b) and no Relu.  Nodes that would do nothing are left out.  Rows are normalised in
the wider of their type and the net's, as fastnet does it.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastnet._version import __version__
from fastnet.checks import Array
from fastnet.files import Name, replacing
from fastnet.interchange.foreign import library, reading
from fastnet.interchange.layers import Net, checked, layers_of, net_of
from fastnet.interchange.protobuf import require_small
from fastnet.normalization import Normalization

EXTRA = "onnx"
INPUT, OUTPUT = "X", "probabilities"
OPSET, IR_VERSION = 13, 7  # the first in which Softmax is over the last axis; onnxruntime reads both since 1.6 (2020)
INPUT_TYPES = ("uint8", "float32", "float64")
DESCRIPTION = ("label_names", "feature_names", "image_shape")
MOST_BESIDE = 1 << 20  # bytes that are no parameters: names of some ten thousand columns; protobuf takes 120 MB
# As onnx.proto numbers ModelProto.graph, GraphProto.initializer, TensorProto.float_data, raw_data and double_data.
_PARAMETERS: dict[int, Any] = {7: {5: {4: {}, 9: {}, 10: {}}}}
_CHAIN = re.compile(r"(Cast )?(Sub (Mul )?)?(Cast )?Gemm (Relu Gemm )?(Softmax )?")
_OPERANDS = {"Sub": 1, "Mul": 1, "Gemm": 2}  # parameters of a node
_SAME = {"alpha": (1.0,), "beta": (1.0,), "transA": (0,), "transB": (0, 1), "axis": (-1, 1)}  # of attributes


def to_onnx(net: Net, path: Name, *, input_dtype: DTypeLike | None = None) -> None:
    """Write the net to path, under exactly that name.  An existing file is replaced only by a finished one.

    Parameters
    ----------
    net : TwoLayerNet or SoftmaxClassifier
    path : of the file
    input_dtype : uint8, float32 or float64
        Of the rows that the graph takes; default the net's dtype.

    Raises
    ------
    ImportError
        Without onnx.
    ValueError
        For no net and for another dtype.
    OSError
        Where path cannot be written.

    Notes
    -----
    The input is "X", rows (N, D), the output "probabilities" (N, C) in the net's dtype; N is left open.  Label names,
    feature names and image shape are metadata under these names (label_names, feature_names, image_shape), in JSON.
    Parameters are kept to the last bit, mean and scale in the type in which such rows are normalised.  A net whose
    matmul_precision is lower than "highest" is computed in floats.
    """
    onnx = library("onnx", EXTRA)
    dtype = _input_type(checked(net).dtype if input_dtype is None else input_dtype)
    model = onnx.helper.make_model(
        _graph(onnx.helper, net, dtype),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastnet",
        producer_version=__version__,
    )
    told = {name: json.dumps(value) for name in DESCRIPTION if (value := getattr(net, name)) is not None}
    onnx.helper.set_model_props(model, told)
    data = model.SerializeToString()
    require_small(io.BytesIO(data), len(data), _PARAMETERS, MOST_BESIDE)
    with replacing(path) as file:
        file.write(data)


def _input_type(given: DTypeLike) -> np.dtype[Any]:
    try:
        dtype = np.dtype(given)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.name not in INPUT_TYPES:
        raise ValueError(f"input_dtype is {given!r}, expected {', '.join(INPUT_TYPES)}")
    return dtype


def _graph(helper: Any, net: Net, dtype: np.dtype[Any]) -> Any:
    wide = np.promote_types(dtype, net.dtype)  # in which rows are normalised
    parameters = dict(zip(net.params, layers_of(net, fold=False), strict=True))
    layers = list(zip(*[iter(parameters)] * 2, strict=True))
    steps: list[tuple[str, tuple[str, ...], dict[str, Any]]] = []
    if dtype != wide:
        steps.append(("Cast", (), {"to": _type(helper, wide)}))
    if net.normalization is not None:
        mean, scale = net._mean_and_scale(wide)
        parameters["mean"] = mean[0]
        steps.append(("Sub", ("mean",), {}))
        if net.normalization.scale is not None:
            parameters["scale"] = scale[0]
            steps.append(("Mul", ("scale",), {}))
    if wide != net.dtype:
        steps.append(("Cast", (), {"to": _type(helper, net.dtype)}))
    steps.append(("Gemm", layers[0], {}))
    for layer in layers[1:]:
        steps += [("Relu", (), {}), ("Gemm", layer, {})]
    steps.append(("Softmax", (), {"axis": -1}))
    names = [INPUT, *(f"{step[0].lower()}_{number}" for number, step in enumerate(steps[:-1])), OUTPUT]
    return helper.make_graph(
        [
            helper.make_node(kind, [names[number], *operands], [names[number + 1]], **attributes)
            for number, (kind, operands, attributes) in enumerate(steps)
        ],
        type(net).__name__,
        [helper.make_tensor_value_info(INPUT, _type(helper, dtype), ["N", net.input_size])],
        [helper.make_tensor_value_info(OUTPUT, _type(helper, net.dtype), ["N", net.output_size])],
        [library("onnx.numpy_helper", EXTRA).from_array(array, name) for name, array in parameters.items()],
    )


def _type(helper: Any, dtype: np.dtype[Any]) -> int:
    found: int = helper.np_dtype_to_tensor_dtype(dtype)
    return found


def from_onnx(path: Name) -> Net:
    """The net of an ONNX file that to_onnx wrote, or of another whose graph is of that form.

    Parameters
    ----------
    path : of the file

    Returns
    -------
    TwoLayerNet or SoftmaxClassifier
        Of the dtype of the file's weights, float32 or float64, with parameters to the last bit.

    Raises
    ------
    ImportError
        Without onnx.
    OSError
        Where there is no regular file that can be read.
    ValueError
        By the names of nodes and tensors, where it is no such graph.

    Notes
    -----
    A Gemm may have its weight transposed (transB), as PyTorch writes it, and Softmax may be missing.
    """
    onnx = library("onnx", EXTRA)
    with reading(path, "one of fastnet's two networks in ONNX") as file:
        size = os.fstat(file.fileno()).st_size
        require_small(file, size, _PARAMETERS, MOST_BESIDE)
        file.seek(0)
        model = onnx.load_model_from_string(file.read(size))
        graph = model.graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        arrays: dict[str, Array] = {}
        features: dict[str, Array] = {}
        for kind, operands, attributes in _steps(onnx, graph, tensors):
            found = {name: _array(onnx, tensors, name) for name in operands}
            if kind == "Gemm":
                if shared := arrays.keys() & found:
                    raise ValueError(f"{', '.join(sorted(shared))} is of two nodes, expected parameters of one each")
                weight = operands[0]
                arrays |= found | {weight: found[weight].T if attributes.get("transB") else found[weight]}
            elif found:
                features[kind] = found[operands[0]]
        net = net_of(arrays)
        if features:
            net.normalization = Normalization(*(_of_features(net, array) for array in features.values()))
        told = {entry.key: entry.value for entry in model.metadata_props}
        for name in told.keys() & set(DESCRIPTION):
            setattr(net, name, json.loads(told[name]))
        return net


def _steps(onnx: Any, graph: Any, tensors: Any) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Kind, operands and attributes of the nodes, which must be the chain that this file tells of."""
    kinds = [node.op_type for node in graph.node]
    if _CHAIN.fullmatch("".join(f"{kind} " for kind in kinds)) is None:
        raise ValueError(
            f"its nodes are {', '.join(kinds[:12]) or 'none'}, expected Gemm, perhaps Cast, Sub, Mul, Cast before it, "
            "Relu, Gemm, Softmax after it"
        )
    inputs = [value.name for value in graph.input if value.name not in tensors]
    ends = [*inputs, *(value.name for value in graph.output)]
    if len(ends) != 2:
        raise ValueError(f"its inputs and outputs are {', '.join(ends)}, expected one of each")
    fed = ends[0]
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ValueError(f"{node.op_type} is of the domain {node.domain}, expected ONNX's own")
        if list(node.input[:1]) != [fed] or len(node.input) != _OPERANDS.get(node.op_type, 0) + 1:
            raise ValueError(f"{node.op_type} takes {', '.join(node.input)}, expected {fed} and its parameters")
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        types = [onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE]
        for name, value in attributes.items():
            if value not in (types if (node.op_type, name) == ("Cast", "to") else _SAME.get(name, ())):
                raise ValueError(f"{node.op_type} has {name}={value}, expected a plain one")
        yield node.op_type, list(node.input[1:]), attributes
        fed = node.output[0]
    if fed != ends[1]:
        raise ValueError(f"its output is {ends[1]}, expected {fed}, of its last node")


def _array(onnx: Any, tensors: Any, name: str) -> Array:
    if name not in tensors or tensors[name].data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError(f"{name} is no tensor of this file, expected parameters in it")
    array: Array = library("onnx.numpy_helper", EXTRA).to_array(tensors[name])
    return array


def _of_features(net: Net, array: Array) -> Array:
    if array.dtype not in (np.float32, np.float64) or array.shape not in ((net.input_size,), (1, net.input_size)):
        raise ValueError(
            f"rows are normalised by {array.dtype} of shape {array.shape}, expected a float for each of "
            f"{net.input_size} features"
        )
    return array.reshape(-1)
