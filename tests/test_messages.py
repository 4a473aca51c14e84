"""Messages between processes: everything arrives as it left, or is refused before it leaves."""

from __future__ import annotations

import math
import socket
import struct
import threading

import numpy as np
import pytest

from envs.isolation.messages import decode, encode, packed, receive, send

ARRAYS = {
    "uint8": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
    "float32": np.array([0.1, -0.0, np.nan, np.inf, -np.inf, 1e-45], np.float32),
    "float64": np.array([0.1, -0.0, np.nan, np.inf, 5e-324]),
    "int32": np.array([-(2**31), 2**31 - 1], np.int32),
    "uint64": np.array([2**64 - 1], np.uint64),
    "bool": np.array([[True, False]]),
    "text": np.array(["", "grün 🦾", "x" * 256], "<U256"),
    "empty": np.zeros((0, 7), np.float32),
    "0-d": np.array(2.5),
    "strided": np.arange(20, dtype=np.int32).reshape(4, 5)[::-2, 1::2],
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "big endian": np.arange(3, dtype=">f8"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_arrive_bit_for_bit(name):
    sent = ARRAYS[name]
    got = decode(encode(sent))
    assert (type(got), got.dtype, got.shape) == (np.ndarray, sent.dtype, sent.shape)
    assert got.tobytes() == sent.tobytes()


def test_nested_messages():
    message = {
        "none": None,
        "flags": [True, False],
        "numbers": [0, -1, 2**63, 2**64 - 1, 0.1, 1e308, -0.0],
        "text": "grün \n \0 🦾",
        "bytes": [b"", b"\x00\xff" * 3],
        "deep": {"er": [{"array": ARRAYS["uint8"], "and": {}}, []]},
        "again": ARRAYS["int32"],
    }
    got = decode(encode(message))
    np.testing.assert_array_equal(got["deep"]["er"][0].pop("array"), ARRAYS["uint8"])
    np.testing.assert_array_equal(got.pop("again"), ARRAYS["int32"])
    message["deep"]["er"][0].pop("array")
    message.pop("again")
    assert got == message
    assert math.copysign(1, got["numbers"][-1]) == -1
    assert [type(b) for b in got["bytes"]] == [bytes, bytes]


def test_tuples_arrive_as_lists():
    assert decode(encode({"size": (84, 84)})) == {"size": [84, 84]}


def test_numbers_that_json_does_not_have():
    got = decode(encode([math.nan, math.inf, -math.inf]))
    assert math.isnan(got[0])
    assert got[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float64(0.1), 0.1),
        (np.int64(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.str_("arm"), "arm"),
    ],
)
def test_numpy_scalars_arrive_as_plain_numbers(scalar, plain):
    got = decode(encode({"value": scalar}))["value"]
    assert (type(got), got) == (type(plain), plain)


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (object(), "object"),
        ({1, 2}, "set"),
        (1 + 2j, "complex"),
        (np.complex64(1), "complex"),
        (np.array([object()]), "ndarray"),
        (lambda: None, "function"),
    ],
)
def test_objects_are_refused_by_name(thing, name):
    with pytest.raises(TypeError, match=f"{name} cannot be sent to another process"):
        encode({"deep": [thing]})


def test_keys_that_would_arrive_changed_are_refused():
    """JSON would make a string of the 1, silently."""
    with pytest.raises(TypeError, match=r"keys of messages must be text.*1"):
        encode({"ids": {1: "cube"}})


@pytest.mark.parametrize("key", ["__array__", "__bytes__"])
def test_the_marks_of_arrays_cannot_be_forged(key):
    with pytest.raises(TypeError, match=key):
        encode({"deep": [{key: 0}]})


@pytest.fixture
def connection():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_message_in_tiny_pieces(connection):
    ours, theirs = connection
    message = {"array": ARRAYS["uint8"], "text": "slow"}
    whole = len(encode(message)).to_bytes(8, "little") + encode(message)

    def dribble():
        for byte in whole + b"d":
            theirs.send(bytes([byte]))

    thread = threading.Thread(target=dribble)
    thread.start()
    got = receive(ours)
    thread.join()
    np.testing.assert_array_equal(got["array"], message["array"])
    assert got["text"] == "slow"
    assert ours.recv(9) == b"d", "what follows the message must be left in the connection"


def test_a_message_larger_than_the_socket_buffer(connection):
    ours, theirs = connection
    picture = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    thread = threading.Thread(target=send, args=(theirs, b"m", {"rgb": picture}))
    thread.start()
    code, got = ours.recv(1), receive(ours)
    thread.join()
    assert code == b"m"
    np.testing.assert_array_equal(got["rgb"], picture)


@pytest.mark.parametrize("kept", [0, 5, 8, 20, -1])
def test_a_peer_that_ends_in_the_middle(connection, kept):
    ours, theirs = connection
    data = encode({"array": ARRAYS["float64"]})
    theirs.sendall((len(data).to_bytes(8, "little") + data)[:kept])
    theirs.close()
    with pytest.raises(EOFError, match="closed in the middle of a message"):
        receive(ours)


def test_a_message_that_pauses_in_the_middle_is_waited_for():
    """The connection's own timeout passes between its halves; whoever waits is asked each time."""
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 20_000))
    data = packed(b"", {"half": np.arange(10)})
    far.sendall(data[:20])
    asked: list[bool] = []

    def waiting() -> None:
        asked.append(True)
        if len(asked) == 2:
            far.sendall(data[20:])

    np.testing.assert_array_equal(receive(near, waiting)["half"], np.arange(10))
    assert len(asked) == 2
    near.close()
    far.close()
