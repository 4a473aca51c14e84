"""The same task here and in a worker, and what it means to be equal."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from toy import TOY

import envs
from envs.isolation.child import Order
from envs.isolation.env import IsolatedEnv
from envs.isolation.interpreter import host
from envs.make import make_env
from envs.registry import simulator_of


def isolated(env_id=TOY, **options):
    """In a worker with this interpreter, also where ``process`` would take the simulator's own."""
    order = Order(simulator_of(env_id), env_id, options, host())
    return IsolatedEnv(envs.card(env_id), order)


def equal(got, expected):
    """Values, types and dtypes, at any depth, to the bit."""
    assert type(got) is type(expected)
    if isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            equal(got[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected)
        for mine, theirs in zip(got, expected, strict=True):
            equal(mine, theirs)
    elif isinstance(expected, np.ndarray):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        assert got.tobytes() == expected.tobytes()
    else:
        assert got == expected


def complaint(make):
    with pytest.raises(Exception) as caught:
        make()
    return type(caught.value), str(caught.value)


@contextmanager
def pairs():
    """A function that makes pairs: here, and in a worker; all are closed at the end."""
    made = []

    def make(env_id=TOY, **options):
        made.extend((make_env(env_id, options), isolated(env_id, **options)))
        return made[-2:]

    yield make
    for env in made:
        env.close()
