"""Every kind of array that may be X or y: types, layouts, files; none is changed, images are not copied."""

import tracemalloc

import numpy as np
import pytest
from against_reference import DTYPES, TOLERANCE, bits, error, fastnet_model, in_reference, worst_error

import fastnet

N, D, H, C = 40, 67, 19, 5


def pixels():
    return np.random.default_rng(0).integers(0, 256, (N, D), dtype=np.uint8)


LABELS = np.random.default_rng(1).integers(0, C, N)


def small_model(kind="two-layer", dtype=np.float32):
    model = fastnet_model(kind, D, H, C, std=0.1, dtype=dtype, seed=0)
    model.normalization = fastnet.Normalization.fit(pixels(), scale=True)
    return model


def run(model, X, y=LABELS):
    """All that a model does with X."""
    loss, grads = model.loss(X, y, reg=0.1)
    first = [np.float64(loss), *grads.values(), model.predict(X), model.predict_proba(X)]
    history = model.train(X, y, X, y, learning_rate=0.05, num_iters=5, batch_size=20)
    return b"".join(value.tobytes() for value in first) + bits(model, history)


TYPES = [
    "uint8",
    "float32",
    "float64",
    "int8",
    "uint16",
    "int32",
    "int64",
    "uint64",
    "float16",
    "longdouble",
    "bool",
]


@pytest.mark.parametrize("X_type", TYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_of_number_is_read_for_what_it_is(dtype, X_type):
    numbers = pixels() // 2  # fits int8
    X = numbers.astype(X_type)
    model = small_model("two-layer", dtype)
    model.normalization = fastnet.Normalization(numbers.mean(axis=0), np.full(D, 0.02))
    X64 = (X.astype(np.float64) - numbers.mean(axis=0)) * 0.02
    twin = in_reference(model)
    loss, grads = model.loss(X, LABELS, reg=0.1)
    expected_loss, expected = twin.loss(X64, LABELS, 0.1)
    assert error(loss, expected_loss) < TOLERANCE[dtype]
    assert worst_error(grads, expected) < TOLERANCE[dtype]


def reversed_rows(X):
    return np.ascontiguousarray(X[::-1])[::-1]


def every_other_column(X):
    wide = np.zeros((N, 2 * D), X.dtype)
    wide[:, ::2] = X
    return wide[:, ::2]


def within_a_larger_array(X):
    large = np.full((N + 2, D + 3), 77, X.dtype)
    large[1:-1, 2:-1] = X
    return large[1:-1, 2:-1]


def read_only(X):
    X.flags.writeable = False
    return X


def unaligned(X):
    memory = np.zeros(X.nbytes + 1, np.uint8)
    view = memory[1:].view(X.dtype).reshape(X.shape)
    view[:] = X
    return view


def other_byte_order(X):
    return X.astype(X.dtype.newbyteorder())


LAYOUTS = {
    "fortran": np.asfortranarray,
    "reversed": reversed_rows,
    "strided": every_other_column,
    "window": within_a_larger_array,
    "read-only": read_only,
    "read-only fortran": lambda X: read_only(np.asfortranarray(X)),
    "unaligned": unaligned,
    "other byte order": other_byte_order,
    "list": lambda X: X.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("X_type", ["uint8", "float32"])
def test_every_layout_gives_the_same_bits(X_type, layout):
    X = LAYOUTS[layout](pixels().astype(X_type))
    if layout in ("list", "other byte order"):  # become the model's own type: other programs, other roundings
        got, expected = small_model(), small_model()
        assert error(got.loss(X), expected.loss(pixels())) < 1e-6
        return
    assert run(small_model(), X) == run(small_model(), pixels().astype(X_type))


@pytest.mark.parametrize("layout", ["fortran", "reversed", "strided", "window", "unaligned"])
def test_one_row_of_every_layout(layout):
    X, model = LAYOUTS[layout](pixels()), small_model()
    for i in (0, 17, N - 1):
        np.testing.assert_array_equal(model.loss(X[i : i + 1]), model.loss(pixels()[i : i + 1].copy()))


def test_one_row_for_all_by_broadcasting():
    X = np.broadcast_to(pixels()[0], (N, D))
    np.testing.assert_array_equal(small_model().loss(X), small_model().loss(np.array(X)))


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("X_type", ["uint8", "float32"])
def test_a_memmap_gives_the_same_bits(X_type, mode, tmp_path):
    pixels().astype(X_type).tofile(tmp_path / "X.bin")
    X = np.memmap(tmp_path / "X.bin", X_type, mode, shape=(N, D))
    assert run(small_model(), X) == run(small_model(), pixels().astype(X_type))
    assert (tmp_path / "X.bin").read_bytes() == pixels().astype(X_type).tobytes()


@pytest.mark.parametrize("X_type", ["uint8", "float32", "int64"])
def test_data_are_never_changed(X_type):
    X, y = pixels().astype(X_type), LABELS.copy()
    rows = np.random.default_rng(2).integers(0, N, (5, 20))
    kept = X.copy(), y.copy(), rows.copy()
    model = small_model()
    run(model, X, y)
    model.train(X, y, indices=rows)
    for array, before in zip((X, y, rows), kept, strict=True):
        np.testing.assert_array_equal(array, before, strict=True)


LABEL_TYPES = ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize("y_type", LABEL_TYPES)
def test_every_integer_type_of_labels(y_type):
    assert run(small_model(), pixels(), LABELS.astype(y_type)) == run(small_model(), pixels())


def test_labels_in_any_layout():
    expected = run(small_model(), pixels())
    wide = np.stack([LABELS, LABELS], axis=1)
    assert run(small_model(), pixels(), wide[:, 1]) == expected
    assert run(small_model(), pixels(), LABELS.tolist()) == expected
    assert run(small_model(), pixels(), read_only(LABELS.copy())) == expected
    assert run(small_model(), pixels(), LABELS.astype(">i8")) == expected


def test_labels_and_row_numbers_changed_while_training_are_not_followed():
    # Kernels index memory by them: what was checked is what must be read.
    y, rows = LABELS.copy(), np.random.default_rng(2).integers(0, N, (30, 20))
    expected = small_model()
    expected.train(pixels(), y, indices=rows)

    def spoil(progress):
        y[:] = (y + 1) % C
        rows[:] = (rows + 1) % N

    model = small_model()
    model.train(pixels(), y, indices=rows, callback=spoil)
    assert bits(model) == bits(expected)


@pytest.mark.parametrize("X_type", ["uint8", "float32"])
def test_no_copy_is_made_of_a_read_only_memmap(X_type, tmp_path):
    rows = 20_000
    images = np.memmap(tmp_path / "X.bin", X_type, "w+", shape=(rows, D))
    images[:] = np.resize(pixels(), images.shape)
    images.flush()
    X, y = np.memmap(tmp_path / "X.bin", X_type, "r", shape=(rows, D)), np.resize(LABELS, rows)
    model = small_model()
    model.train(X, y, num_iters=2, batch_size=20)  # compiles, if need be
    tracemalloc.start()
    try:
        model.train(X, y, num_iters=20, batch_size=20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * X.nbytes
