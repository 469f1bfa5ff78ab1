import pytest
from pydantic import ValidationError

from maskline.api.native.models.trunks import NewTrunk, TrunkChanges

TRUNK = {"name": "t", "targets": [{"host": "192.0.2.1"}]}


def test_hosts_and_networks_are_put_into_their_usual_form() -> None:
    """As the command does."""
    made = NewTrunk.model_validate({**TRUNK, "from_host": "US.Example.", "accept": ["192.0.2.1"]})
    assert (made.from_host, made.accept) == ("us.example", ["192.0.2.1/32"])


@pytest.mark.parametrize(
    "given",
    [{"from_host": "0.0.0.0"}, {"accept": ["x"]}, {"password": ""}, {"password": "x" * 256}, {"nothing": 1}],
)
def test_what_is_refused(given: dict[str, object]) -> None:
    """By the model alone."""
    with pytest.raises(ValidationError):
        TrunkChanges.model_validate(given)


def test_a_password_does_not_print() -> None:
    """It is only ever written."""
    assert "hidden-word" not in repr(TrunkChanges.model_validate({"password": "hidden-word"}))
