import os

import pytest
from pydantic import ValidationError

from maskline.api.native.models.accounts import AccountChanges, NewAccountRequest


def test_a_token_that_is_brought_does_not_print() -> None:
    """The rest does."""
    made = NewAccountRequest(name="n", auth_token="hidden-word-hidden-word")
    assert "hidden-word" not in repr(made)
    assert "name='n'" in repr(made)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "UTC"])
def test_time_zones(zone: str) -> None:
    """Those that the machine knows."""
    assert AccountChanges(timezone=zone).timezone == zone
    with pytest.raises(ValidationError):
        AccountChanges(timezone=zone + "x")


def test_time_zones_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing them opens hundreds of files, on the loop that signals calls."""
    first = AccountChanges(timezone="Asia/Kolkata")
    monkeypatch.setattr(os, "walk", None)
    assert AccountChanges(timezone="Asia/Kolkata") == first
