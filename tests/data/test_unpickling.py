import datetime
import pickle
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from cifar_files import make_batches, python2_batch

from fastnet.data.unpickling import unpickle_dict

PROTOCOLS = [2, 3, 4, 5]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values(protocol):
    value = {
        "numbers": [0, 255, 256, -1, 70_000, 2**40, -(2**3000), 1.5, True, False, None],
        "nested": {"a": (), "b": (1,), "c": (1, 2), "d": (1, 2, 3), "e": (1, 2, 3, 4), "f": [[]], "g": {}},
        "text": ["", "é", "x" * 300],
    }
    value["nested"]["again"] = value["text"]
    assert unpickle_dict(pickle.dumps(value, protocol), "file") == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bytes(protocol):
    value = {b"key": b"value \xff", "empty": b"", "long": b"x" * 300}
    found = unpickle_dict(pickle.dumps(value, protocol), "file")
    as_bytes = {k: v.encode("latin-1") if isinstance(v, str) else v for k, v in found.items()}
    assert as_bytes == {"key": b"value \xff", "empty": b"", "long": b"x" * 300}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "u4", ">i8", "f2", "<f4", ">f8", "?"])
def test_arrays(protocol, dtype):
    array = (np.arange(24) % 3).astype(dtype).reshape(2, 3, 4)
    value = {
        "c": array,
        "fortran": np.asfortranarray(array),
        "empty": array[:0],
        "scalar": array[0, 0, 0, ...],
    }
    value["again"] = value["c"]
    found = unpickle_dict(pickle.dumps(value, protocol), "file")
    assert found.keys() == value.keys()
    for key, expected in value.items():
        np.testing.assert_array_equal(found[key], expected, strict=True)


def test_python2():
    pixels, labels = make_batches()["data_batch_1"]
    found = unpickle_dict(python2_batch(pixels, labels), "file")
    np.testing.assert_array_equal(found["data"], pixels, strict=True)
    assert found["labels"] == labels.tolist()
    assert found["batch_label"] == "training batch 1 of 5"
    assert found["filenames"] == ["0.png", "1.png"]


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "asks_for"),
    [
        (Calls(exec, "raise SystemExit"), r"\.exec"),
        (Calls(bytearray, 10), r"\.bytearray|__builtin__"),
        (Calls(np.load, "x"), r"numpy\.load"),
        (datetime.date(2000, 1, 1), r"datetime\.date"),
        (np.random.default_rng(0), r"numpy\.random"),
        (np.array([None]), r"dtype 'O"),
        (np.array([(1, 2)], dtype="i4,i4"), r"dtype 'V8'"),
        (np.array(["text"]), r"dtype 'U4'"),
        (np.array(["2000-01-01"], "M8[D]"), r"dtype 'M8'"),
        (np.float32(1), r"multiarray\.scalar"),
        ({1, 2}, "set|EMPTY_SET"),
        (complex(1, 2), "complex"),
    ],
)
def test_anything_else_is_refused_by_name(protocol, value, asks_for):
    with pytest.raises(ValueError, match=f"file: .*asks for .*({asks_for})"):
        unpickle_dict(pickle.dumps({"x": value}, protocol), "file")


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
DTYPE = b"cnumpy\ndtype\nU\x02%sK\x00K\x01\x87R(K\x03U\x01%sNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def array_pickle(shape=b"K\x04\x85", dtype=DTYPE % (b"u1", b"|"), raw=b"U\x04abcd"):
    return b"\x80\x02}U\x01x" + RECONSTRUCT + b"(K\x01" + shape + dtype + b"\x89" + raw + b"tbs."


def test_array_pickle_is_sound():
    np.testing.assert_array_equal(unpickle_dict(array_pickle(), "file")["x"], list(b"abcd"))


OBJECT_FIELD = (
    b"cnumpy\ndtype\nU\x02V8K\x00K\x01\x87R(K\x03U\x01|NU\x01a\x85}U\x01acnumpy\ndtype\nU\x01OK\x00K\x01\x87R"
    b"K\x00\x86sK\x08K\x01K\x00tb"
)


PLAIN_KEY = "neither text nor number"
DAMAGED = "description of an array is damaged"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\x80\x02}(" + b")" + b"\x85" * 200_000 + b"K\x01u.", PLAIN_KEY, id="deep tuple as key"),
        pytest.param(b"\x80\x02" + b"]" * 140_000 + b"a" * 139_999 + b".", "holds a list", id="deep lists"),
        pytest.param(array_pickle(b"K\x01\x85", OBJECT_FIELD, b"U\x08AAAAAAAA"), "dtype 'V8'", id="pointers"),
        pytest.param(array_pickle(dtype=DTYPE % (b"u1", b"O")), "byte order 'O'", id="byte order"),
        pytest.param(array_pickle(dtype=DTYPE % (b"u2", b"|")), "4 bytes does not fit", id="too few bytes"),
        pytest.param(array_pickle(raw=b"U\x05abcde"), "5 bytes does not fit", id="too many bytes"),
        pytest.param(array_pickle(dtype=b"U\x02u1"), DAMAGED, id="no dtype"),
        pytest.param(array_pickle(shape=b"K\x04"), DAMAGED, id="shape a number"),
        pytest.param(array_pickle(shape=b"G\x40\x10\0\0\0\0\0\0\x85"), DAMAGED, id="shape of floats"),
        pytest.param(array_pickle(shape=b"J\xff\xff\xff\xffJ\xfc\xff\xff\xff\x86"), DAMAGED, id="negative shape"),
        pytest.param(array_pickle(b"(K\0" + b"J\xff\xff\xff\x7f" * 3 + b"t", raw=b"U\0"), "too big", id="large"),
        pytest.param(
            array_pickle(b"K\0\x8a\x09" + b"\x7f" * 9 + b"\x86", raw=b"U\0"),
            "dimension exceeded",
            id="larger",
        ),
        pytest.param(array_pickle(b"(" + b"K\x01" * 99 + b"K\x04t"), "found 100", id="100 dimensions"),
        pytest.param(array_pickle(raw=b"K\x04"), DAMAGED, id="raw a number"),
        pytest.param(array_pickle(raw=b"X\x06\0\0\0\xe2\x82\xacabc"), "latin-1", id="raw not bytes"),
        pytest.param(b"\x80\x02c_codecs\nencode\nN}U\x01xU\x01xs\x86b.", "state of a function", id="function"),
        pytest.param(b"\x80\x02cnumpy\ndtype\n(cnumpy\ndtype\nK\x01U\x01<tb.", "state of a type", id="class"),
        pytest.param(b"\x80\x02U\x01x)R.", "'str' object is not callable", id="call of a text"),
        pytest.param(b"\x80\x02c_codecs\nencode\nU\x01xU\x05rot13\x86R.", "encoding 'rot13'", id="encoding"),
        pytest.param(b"\x80\x02cnumpy\ndtype\nU\x02u1\x85\x81.", "instruction NEWOBJ", id="new object"),
        pytest.param(b"\x80\x02U\x01xQ.", "instruction BINPERSID", id="persistent id"),
        pytest.param(b"\x80\x02\x82\x01.", "instruction EXT1 1", id="extension"),
        pytest.param(b"\x80\x02(U\x04exitios\nsystem\n.", "instruction INST 'os system'", id="instance"),
        pytest.param(b"\x80\x02h\x05.", r"damaged \(KeyError\(5\)\)", id="memo never written"),
        pytest.param(b"\x80\x02K\x01\x86.", "stack runs empty", id="tuple of too few"),
        pytest.param(b"\x80\x02]K\x01K\x02s.", PLAIN_KEY, id="item of a list"),
        pytest.param(b"\x80\x02c_codecs\nencode\nK\x01K\x02s.", PLAIN_KEY, id="item of a function"),
        pytest.param(b"\x80\x02}K\x01a.", "appends to a dict", id="append to a dict"),
        pytest.param(b"\x80\x02}(K\x01u.", "is shorter", id="key without value"),
        pytest.param(b"\x80\x02}]K\x01s.", PLAIN_KEY, id="list as key"),
        pytest.param(b"\x80\x02}K\x01K\x02s.", "int where text belongs", id="number as name"),
        pytest.param(b"\x80\x02" + b"]\x94" * 200_000 + b".", "over 304,000 instructions", id="many objects"),
        pytest.param(b"\x80\x02.", "damaged", id="nothing"),
        pytest.param(b"", "exhausted", id="empty"),
        pytest.param(b"<html>", "unknown", id="foreign"),
    ],
)
def test_hostile_pickle(data, reason):
    with pytest.raises(ValueError, match=f"^file: not a readable pickle of arrays: .*{reason}"):
        unpickle_dict(data, "file")


def test_memo_index_costs_nothing():
    tracemalloc.start()
    try:
        assert unpickle_dict(b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b".", "file") == {}
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_arrays_of_one_text_take_no_more_than_the_file():
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\1"
    array = b"cnumpy.core.numeric\n_frombuffer\n(h\1cnumpy\ndtype\nU\2u1\x85RJ\0\0\x10\0\x85U\1CtR"
    assert unpickle_dict(b"\x80\x02" + text + b"}U\1x" + array + b"s.", "file")["x"].shape == (1 << 20,)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="its arrays have more bytes than it has itself"):
            unpickle_dict(b"\x80\x02" + text + array * 60 + b".", "file")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cnumpy\ndtype\nX%sK\x00K\x01\x87R.",
        b"\x80\x02cnumpy\ndtype\nU\x02u1\x85R(K\x03X%stb.",
        b"\x80\x02c_codecs\nencode\nU\x01xX%s\x86R.",
        b"\x80\x04X%sU\x01x\x93.",
        b"F%s\n.",
    ],
    ids=["dtype", "byte order", "encoding", "name", "number of protocol 0"],
)
def test_a_long_text_is_cut_in_the_message(data):
    with pytest.raises(ValueError, match="xxxxx") as caught:
        unpickle_dict(data % (struct.pack("<I", 5000) + b"x" * 5000), "file")
    assert len(str(caught.value)) < 400


def test_a_text_of_protocol_0_is_refused_whatever_its_escapes():
    with pytest.raises(ValueError, match="not a readable pickle of arrays"):
        unpickle_dict(b"S'\\d'\n.", "file")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damage_gives_only_value_errors(protocol):
    good = pickle.dumps({"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [3, 4]}, protocol)
    for length in range(len(good)):
        with pytest.raises(ValueError, match="file"):
            unpickle_dict(good[:length], "file")
    for position in range(len(good)):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[position] ^= 1 << bit
            with suppress(ValueError):
                unpickle_dict(bytes(damaged), "file")


def test_a_copy_in_text_mode_is_told_without_its_control_characters():
    data = python2_batch(*make_batches()["data_batch_1"])
    with pytest.raises(ValueError, match="line breaks were changed, as by a copy in text mode") as caught:
        unpickle_dict(data.replace(b"\n", b"\r\n"), "file")
    assert str(caught.value).isprintable()


def test_names_in_a_file_are_written_without_their_control_characters():
    with pytest.raises(ValueError, match=r"it asks for 'os\.sys") as caught:
        unpickle_dict(b"\x80\x02cos\nsys\x1b[2Jtem\n.", "file")
    assert str(caught.value).isprintable()
