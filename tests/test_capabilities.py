"""What `neonps.capabilities` says is so, and it can be asked what psycopg's can."""

from __future__ import annotations

import inspect

import psycopg
import pytest

import neonps
from neonps.capabilities import Capabilities, capabilities
from neonps.pgconn import PGconn

FEATURES = [name for name in dir(psycopg.Capabilities) if name.startswith("has_")]

#: What is there only if the class has it.
OF_PGCONN = {
    "has_encrypt_password": "encrypt_password",
    "has_set_trace_flags": "set_trace_flags",
    "has_used_gssapi": "used_gssapi",
}


@pytest.mark.parametrize("name", FEATURES)
def test_the_methods_are_those_of_psycopg(name: str) -> None:
    theirs, ours = (inspect.signature(getattr(cls, name)) for cls in (psycopg.Capabilities, Capabilities))
    assert list(ours.parameters) == list(theirs.parameters)
    assert [parameter.default for parameter in ours.parameters.values()] == [inspect.Parameter.empty, False]


def test_nothing_more() -> None:
    assert [name for name in dir(Capabilities) if name.startswith("has_")] == FEATURES


@pytest.mark.parametrize("name", FEATURES)
def test_the_answers(name: str) -> None:
    expected = name not in OF_PGCONN or hasattr(PGconn, OF_PGCONN[name])
    has = getattr(capabilities, name)
    assert has() is expected
    if expected:
        assert has(check=True) is True
    else:
        with pytest.raises(neonps.NotSupportedError, match=f"'PGconn.{OF_PGCONN[name]}' is not available"):
            has(check=True)
