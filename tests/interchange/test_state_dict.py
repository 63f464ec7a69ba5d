"""PyTorch's state dict: the names and orders that it has, in arrays; beside PyTorch itself where it is installed."""

from itertools import pairwise

import numpy as np
import pytest

import fastnet
from fastnet.interchange import from_state_dict, to_state_dict


def forward(state, X):
    """What PyTorch's modules compute, in float64."""
    *hidden, last = [name.removesuffix("weight") for name in state if name.endswith("weight")]
    for name in hidden:
        X = np.maximum(X @ state[f"{name}weight"].T.astype(float) + state[f"{name}bias"], 0)
    return X @ state[f"{last}weight"].T.astype(float) + state[f"{last}bias"]


def test_a_plain_net_comes_back_to_the_last_bit(plain, same_bits, scores, pixels):
    state = to_state_dict(plain)
    assert [value.dtype for value in state.values()] == [plain.dtype] * len(plain.params)
    assert all(value.flags.c_contiguous for value in state.values())
    np.testing.assert_allclose(forward(state, pixels), scores(plain, pixels), rtol=1e-12)
    assert same_bits(from_state_dict(state), plain)
    state.popitem()[1][:] = 0  # a copy
    assert np.any(list(plain.params.values())[-1])


def test_names_are_those_of_sequential_and_linear(make):
    shapes = {name: value.shape for name, value in to_state_dict(make()).items()}
    assert shapes == {"0.weight": (9, 7), "0.bias": (9,), "2.weight": (4, 9), "2.bias": (4,)}
    shapes = {name: value.shape for name, value in to_state_dict(make("SoftmaxClassifier")).items()}
    assert shapes == {"weight": (4, 7), "bias": (4,)}


@pytest.mark.parametrize("normalized", ["mean", "standard"])
def test_a_normalization_is_folded_within_the_rounding_that_is_told(make, normalized, pixels):
    net = make(normalized=normalized)
    given, folded = to_state_dict(net, fold=False), to_state_dict(net)
    scale = 1.0 if net.normalization.scale is None else net.normalization.scale
    exact = (pixels - net.normalization.mean) * scale @ net.params["W1"].astype(float) + net.params["b1"]
    W, b = folded["0.weight"].astype(float).T, folded["0.bias"].astype(float)
    bound = 2.0**-24 * (pixels @ abs(W) + abs(b))
    assert np.all(abs(pixels @ W + b - exact) <= bound * (1 + 1e-6))
    for name in ("2.weight", "2.bias"):
        np.testing.assert_array_equal(folded[name], given[name])


def test_without_folding_the_parameters_are_the_nets_own(make, same_bits):
    net = make(normalized="standard")
    back = from_state_dict(to_state_dict(net, fold=False))
    assert same_bits(back, net)
    assert back.normalization is None


def test_what_does_not_fit_when_folded_is_told(make):
    net = make()
    net.normalization = fastnet.Normalization(np.zeros(7), np.full(7, 3e38))
    net.params["W1"][:] = 2
    with pytest.raises(ValueError, match="the first layer with the normalization in it leaves float32"):
        to_state_dict(net)
    assert to_state_dict(net, fold=False)["0.weight"].max() == 2


def test_any_prefix_and_anything_that_numpy_reads(make, same_bits):
    net = make(dtype=np.float64)
    names = ["fc1.weight", "fc1.bias", "module.out.weight", "module.out.bias"]
    state = dict(zip(names, [value.tolist() for value in to_state_dict(net).values()], strict=True))
    assert same_bits(from_state_dict(state), net)


STATE = {
    "0.weight": np.ones((9, 7), np.float32),
    "0.bias": np.ones(9, np.float32),
    "2.weight": np.ones((4, 9), np.float32),
    "2.bias": np.ones(4, np.float32),
}
DEEPER = {"4.weight": np.ones((4, 4), np.float32), "4.bias": np.ones(4, np.float32)}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"2.bias": None}, "holds 0.weight, 0.bias, 2.weight, expected the weight and the bias"),
        ({"0.bias": None, "2.bias": None}, "holds 0.weight, 2.weight, expected"),
        ({"1.running_mean": np.ones(9, np.float32)}, r"2.bias, 1.running_mean, expected"),
        ({"weight": np.ones((4, 7), np.float32)}, "2.bias, weight, expected the weight and the bias"),
        ({"0.scale": np.ones(9, np.float32), "0.shift": np.ones(9, np.float32)}, "0.scale, 0.shift, expected"),
        (dict.fromkeys(STATE), "there are 0 layers, expected 1 or 2: of nothing"),
        (DEEPER, "there are 3 layers, expected 1 or 2: of 0.weight, 0.bias, 2.weight"),
        ({"2.weight": np.ones((4, 8), np.float32)}, "2.weight takes 8 inputs, expected the 9 outputs of 0.weight"),
        ({"2.bias": np.ones(5, np.float32)}, r"2.bias has shape \(5,\), expected \(4,\), the outputs of 2.weight"),
        ({"0.weight": np.ones((9, 7, 1, 1), np.float32)}, "0.weight has 4 dimensions, expected 2"),
        ({"0.weight": np.ones((9, 7), np.float16)}, "0.weight is float16, expected float32 or float64"),
        ({"2.bias": np.ones(4)}, "2.bias is float64, expected float32 or float64, as all the others"),
        ({"2.bias": np.full(4, np.nan, np.float32)}, "2.bias holds nan or infinity"),
        ({"2.weight": np.ones((1, 9), np.float32), "2.bias": np.ones(1, np.float32)}, "output_size is 1"),
    ],
)
def test_what_is_no_state_dict_of_such_a_net_is_refused(changes, complaint):
    state = {name: value for name, value in {**STATE, **changes}.items() if value is not None}
    with pytest.raises(ValueError, match=complaint):
        from_state_dict(state)


def test_what_is_no_net_is_refused(make):
    with pytest.raises(ValueError, match="net is of type dict, expected a TwoLayerNet or a SoftmaxClassifier"):
        to_state_dict(dict(make().params))
    net = make()
    net.params["b2"][0] = np.inf
    with pytest.raises(ValueError, match="b2 holds nan or infinity"):
        to_state_dict(net)
    with pytest.raises(ValueError, match="state is of type TwoLayerNet, expected a dictionary"):
        from_state_dict(net)


# --- beside PyTorch ---


@pytest.fixture
def module(plain):
    """The net as PyTorch's module, and what it takes."""
    torch = pytest.importorskip("torch", reason="torch is in the extra `peers`, not in `test`")
    sizes = [*plain._arguments().values()]
    layers = [torch.nn.Linear(i, o) for i, o in pairwise(sizes)]
    made = layers[0] if len(layers) == 1 else torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
    made = made.to(torch.float64 if plain.dtype == np.float64 else torch.float32)
    plain.normalization = fastnet.Normalization(np.linspace(0, 100, 7), np.linspace(0.1, 1, 7))
    made.load_state_dict({name: torch.from_numpy(array) for name, array in to_state_dict(plain).items()})
    return made


def test_pytorchs_module_gives_the_same_scores(plain, module, scores, pixels):
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        found = module(torch.from_numpy(pixels.astype(plain.dtype))).numpy()
    rounding = (1e-6 if plain.dtype == np.float32 else 1e-14) * abs(found).max()
    np.testing.assert_allclose(found, scores(plain, pixels), atol=rounding)


def test_pytorchs_state_dict_is_read_to_the_last_bit(module, pixels):
    net = from_state_dict(module.state_dict())
    assert [v.tobytes() for v in to_state_dict(net).values()] == [
        v.numpy().tobytes() for v in module.state_dict().values()
    ]
    with pytest.raises(ValueError, match=r"weight cannot be read as an array \(.*requires grad.*value.detach"):
        from_state_dict(dict(module.named_parameters()))
    with pytest.raises(ValueError, match=r"state is of type .*, expected its state_dict"):
        from_state_dict(module)
    with pytest.raises(ValueError, match=r"weight cannot be read as an array \(.*BFloat16"):
        from_state_dict(module.bfloat16().state_dict())
