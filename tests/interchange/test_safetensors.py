"""safetensors: a net comes back whole, other readers find its tensors, and no stranger's file is trusted."""

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import fastnet
from fastnet import checkpoints
from fastnet.interchange import from_safetensors, from_state_dict, to_onnx, to_safetensors, to_sklearn, to_state_dict

pytest.importorskip("safetensors")
from safetensors.numpy import load_file, save_file


@pytest.fixture
def saved(make, tmp_path):
    """A net that carries all a net can, and its file."""
    net = make(normalized="standard")
    net.label_names, net.image_shape, net.matmul_precision = ["cat", "dog", "Übung", ""], (1, 7, 1), "high"
    net.trained_with = {"num_iters": 3, "optimizer": "Adam(beta1=0.9)"}
    net._rng.random(5)
    to_safetensors(net, tmp_path / "net.safetensors")
    return net, tmp_path / "net.safetensors"


def test_it_comes_back_whole(saved, same_bits):
    net, path = saved
    back = from_safetensors(path)
    assert same_bits(back, net)
    assert checkpoints.header_of(back) == checkpoints.header_of(net)
    for name in ("mean", "scale"):
        np.testing.assert_array_equal(getattr(back.normalization, name), getattr(net.normalization, name))


def test_a_plain_net_comes_back(plain, same_bits, tmp_path):
    to_safetensors(plain, tmp_path / "net.safetensors")
    back = from_safetensors(tmp_path / "net.safetensors")
    assert same_bits(back, plain)
    assert back.normalization is None


def test_other_readers_find_the_tensors(saved):
    net, path = saved
    found = load_file(path)
    assert set(found) == {"params.W1", "params.b1", "params.W2", "params.b2", "mean", "scale"}
    np.testing.assert_array_equal(found["params.W1"], net.params["W1"])
    np.testing.assert_array_equal(found["mean"], net.normalization.mean)


def test_pytorchs_names_in_such_a_file(make, same_bits, tmp_path):
    """What the module's documentation says of a PyTorch user's file."""
    net, path = make(), tmp_path / "module.safetensors"
    save_file(to_state_dict(net), path)
    assert same_bits(from_state_dict(load_file(path)), net)
    with pytest.raises(
        ValueError, match=r"holds 0.bias, 0.weight, 2.bias, 2.weight and nothing that says of which net"
    ):
        from_safetensors(path)


def rewritten(path, header=None, **arrays):
    """The file with entries of its header, or arrays, replaced; None removes one."""
    content = load_file(path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    told = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["fastnet"])
    content |= {name.replace("__", "."): array for name, array in arrays.items()}
    told = {**told, **(header or {})}
    kept = {name: array for name, array in content.items() if array is not None}
    save_file(kept, path, {"fastnet": json.dumps(told)})


@pytest.mark.parametrize(
    ("header", "arrays"),
    [
        ({"model": "os.system"}, {}),
        ({"dtype": "float16"}, {}),
        ({"arguments": {"input_size": 10**15, "hidden_size": 9, "output_size": 4}}, {}),
        ({"normalization": None}, {}),
        ({"label_names": [1]}, {}),
        ({"format": 4}, {}),
        ({}, {"params__W1": None}),
        ({}, {"params__W3": np.zeros(3)}),
        ({}, {"params__W1": np.zeros((9, 7), np.float32)}),
        ({}, {"params__W1": np.zeros((7, 9))}),
        ({}, {"params__b1": np.full(9, np.inf, np.float32)}),
        ({}, {"mean": np.full(7, np.nan)}),
    ],
    ids=str,
)
def test_another_net_is_refused(saved, header, arrays, monkeypatch):
    _, path = saved
    rewritten(path)
    from_safetensors(path)
    rewritten(path, header, **arrays)
    with pytest.raises(ValueError, match=r"net\.safetensors: not a net in safetensors \("):
        from_safetensors(path)


def test_no_array_is_made_before_all_are_as_expected(saved, monkeypatch):
    _, path = saved
    rewritten(path, params__b2=np.zeros(5, np.float32))
    monkeypatch.setattr(fastnet.TwoLayerNet, "__init__", None)
    with pytest.raises(ValueError, match=r"params.b2 is F32 of shape \(5,\), expected F32 of shape \(4,\)"):
        from_safetensors(path)


def test_a_damaged_file_is_refused(saved):
    _, path = saved
    data = path.read_bytes()
    for content in (b"", data[:-1], data + b"\0", data[:100], b"\xff" * 8 + data[8:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a net in safetensors"):
            from_safetensors(path)
    with pytest.raises(FileNotFoundError):
        from_safetensors(path.with_name("none.safetensors"))


def test_of_a_longer_file_no_more_than_its_header_is_read(saved):
    _, path = saved
    os.truncate(path, 1 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"it has {1 << 30} bytes, expected "):
            from_safetensors(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_names_that_could_not_be_read_again_are_not_written(make, tmp_path):
    net = make()
    net.label_names = ["a" * 300_000] * 4
    for write in (to_safetensors, to_onnx):
        with pytest.raises(ValueError, match="shorten the names"):
            write(net, tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems")
def test_a_named_pipe_is_refused_at_once(tmp_path, make):
    os.mkfifo(tmp_path / "pipe")
    keep = os.open(tmp_path / "pipe", os.O_RDWR)  # else a reader would wait for a writer
    with pytest.raises(OSError, match="a named pipe, expected a regular file"):
        from_safetensors(tmp_path / "pipe")
    with pytest.raises(OSError, match="a named pipe, expected a regular file"):
        to_safetensors(make(), tmp_path / "pipe")
    os.close(keep)


def test_a_net_that_cannot_be_written_leaves_the_old_file(saved):
    net, path = saved
    old = path.read_bytes()
    net.params["W1"][0, 0] = np.nan
    with pytest.raises(ValueError, match="W1 holds nan or infinity"):
        to_safetensors(net, path)
    assert path.read_bytes() == old


# --- extras ---


@pytest.mark.parametrize(
    ("module", "call", "extra"),
    [
        ("sklearn.neural_network", to_sklearn, "sklearn"),
        ("onnx", lambda net: to_onnx(net, "net.onnx"), "onnx"),
        ("safetensors.numpy", lambda net: from_safetensors("net.safetensors"), "safetensors"),
        ("safetensors.numpy", lambda net: to_safetensors(net, "net.safetensors"), "safetensors"),
    ],
)
def test_without_the_library_the_extra_is_named(make, monkeypatch, tmp_path, module, call, extra):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "fastnet-cpu\[{extra}\]"'):
        call(make())
    assert list(tmp_path.iterdir()) == []


def test_importing_interchange_imports_no_library():
    code = "import sys, fastnet.interchange; print([n for n in sys.argv[1:] if n in sys.modules])"
    names = ["sklearn", "onnx", "onnxruntime", "safetensors", "torch", "numba"]
    result = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, timeout=120)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
