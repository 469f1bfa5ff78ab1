import copy
import json
import pickle
from dataclasses import asdict, dataclass

import pytest

from maskline.core.secret import Secret


@dataclass(frozen=True)
class _Holder:
    secret: Secret


@pytest.mark.parametrize(
    "printed",
    [
        repr,
        str,
        format,
        "{}".format,
        "%s".__mod__,
        "{!r:>40}".format,
        lambda secret: repr(_Holder(secret)),
        lambda secret: str(asdict(_Holder(secret))),
    ],
)
def test_prints_as_a_constant(printed: object) -> None:
    """No way of formatting a secret shows it."""
    assert callable(printed)
    assert "hunter2" not in printed(Secret("hunter2"))
    assert "hidden" in printed(Secret("hunter2"))


@pytest.mark.parametrize("serialise", [pickle.dumps, json.dumps])
def test_is_not_serialised(serialise: object) -> None:
    """A secret does not leave the process by accident."""
    assert callable(serialise)
    with pytest.raises(TypeError):
        serialise(Secret("hunter2"))


def test_reveal_and_copy() -> None:
    """The text is had by asking, and copies are the same secret."""
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert copy.deepcopy(secret) is secret
    assert copy.copy(secret) is secret
    assert len({secret, Secret("hunter2"), Secret("hunter3")}) == 2
    with pytest.raises(AttributeError):
        secret._text = "hunter3"
