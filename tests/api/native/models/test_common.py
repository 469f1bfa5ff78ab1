from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from maskline.api.native.models.common import (
    Instant,
    KnownNumber,
    ListOf,
    Name,
    Number,
    PathName,
    SecretText,
    Url,
    VirtualNumberText,
    instant,
    optional_instant,
)
from maskline.core.numbers import E164
from maskline.core.secret import Secret


class _All(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    number: Number | None = None
    known: KnownNumber | None = None
    virtual: VirtualNumberText | None = None
    secret: SecretText | None = None
    at: Instant | None = None
    name: Name | None = None
    path_name: PathName | None = None
    url: Url | None = None


def test_numbers_are_written_and_do_not_print() -> None:
    """In a body as E.164, in a text not at all."""
    model = _All(number=E164("+912025550000"), known=E164("+123"))
    assert model.model_dump(exclude_none=True, mode="json") == {"number": "+912025550000", "known": "+123"}
    assert "2025550000" not in repr(model)
    assert _All.model_validate_json(model.model_dump_json()) == model


def test_a_secret_is_written_and_does_not_print() -> None:
    """The same."""
    model = _All(secret=Secret("hidden-word"))
    assert "hidden-word" in model.model_dump_json()
    assert "hidden-word" not in repr(model)


@pytest.mark.parametrize(
    "text", ["912025550000", "+0", "+91 2025550000", "+999", "+1\n", "", 5, None, "+" + "1" * 16]
)
def test_what_cannot_be_dialled(text: object) -> None:
    """A plus, digits, and a plan that knows so many of them."""
    with pytest.raises(ValidationError):
        _All.model_validate({"number": text} if text is not None else {"number": []})


def test_a_caller_may_have_a_number_of_no_plan() -> None:
    """It is told as it came."""
    assert _All.model_validate({"known": "+999"}).known == E164("+999")
    with pytest.raises(ValidationError):
        _All.model_validate({"virtual": "+999"})


@given(st.integers(0, 4_000_000_000_000_000))
def test_instants_are_written_to_the_microsecond(moment_at: int) -> None:
    """In UTC with a Z, and read back the same."""
    model = _All(at=instant(moment_at))
    text = model.model_dump(mode="json")["at"]
    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000000Z")
    assert _All.model_validate({"at": text}) == model


def test_instants_have_an_offset() -> None:
    """Whatever it is; without one nobody knows when."""
    east = datetime(2026, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert _All.model_validate({"at": east.isoformat()}).at == datetime(2026, 1, 1, tzinfo=UTC)
    for wrong in ("2026-01-01T00:00:00", "soon", 5, "0001-01-01T00:00:00+23:00", "2026-01-01"):
        with pytest.raises(ValidationError):
            _All.model_validate({"at": wrong})
    assert optional_instant(None) is None
    assert optional_instant(0) == datetime(1970, 1, 1, tzinfo=UTC)


@given(st.text(max_size=12))
def test_names_print(text: str) -> None:
    """What is taken for a name has no blanks around it and nothing that does not print in ASCII."""
    for field in ("name", "path_name"):
        try:
            _All.model_validate({field: text})
        except ValidationError:
            continue
        assert text == text.strip() != ""
        assert not any(it < " " or "\x7f" <= it <= "\x9f" for it in text)
        assert field == "name" or "/" not in text


@pytest.mark.parametrize(
    "text",
    ["", "x", "ftp://a.example", "http://", "http://[", "http://a.example:0/", "http://a b", "http://a:x"],
)
def test_what_is_no_url(text: str) -> None:
    """Of http or https, with a host, without blanks."""
    with pytest.raises(ValidationError):
        _All.model_validate({"url": text})
    assert _All(url="https://a.example/x?y=z#rc=1").url is not None


def test_a_list_has_a_form() -> None:
    """The same for everything."""
    assert ListOf[int](data=[1]).model_dump() == {
        "object": "list",
        "data": [1],
        "next": None,
        "has_more": False,
    }
