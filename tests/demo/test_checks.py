"""What the demonstration looks for, and how it counts."""

import pytest

from maskline.clock import SystemClock
from maskline.core.numbers import E164
from maskline.demo.checks import Checks, needles_of
from maskline.demo.phone import Phone
from maskline.engine.runner import AsyncioRunner


@pytest.fixture
async def phone() -> Phone:
    """A phone that was not switched on."""
    return Phone(
        name="Asha Rao",
        number=E164("+919812300001"),
        host="127.0.0.2",
        carrier=("127.0.0.1", 5070),
        tone_hz=440,
        runner=AsyncioRunner(SystemClock()),
    )


@pytest.mark.parametrize(
    ("what", "leaked"),
    [
        ("number", b"<sip:+919812300001@carrier>"),
        ("number", b"tel:919812300001"),
        ("number", b"From: 09812300001"),
        ("number", b"X-Trace: 9812300001"),
        ("name", b'"Asha Rao" <sip:x@y>'),
        ("name", b"s=call of Rao"),
        ("address", b"c=IN IP4 127.0.0.2"),
        ("reversed number", b"100003218919"),
        ("hex number", b"39383132333030303031"),
        ("UTF-16 name", "Asha".encode("utf-16-le")),
    ],
)
async def test_a_leak_is_found_in_its_usual_disguises(phone: Phone, what: str, leaked: bytes) -> None:
    """Number, name and address are found as they stand, shortened, reversed, in hex and in UTF-16."""
    assert what in {name for name, needle in needles_of(phone) if needle in leaked}


async def test_what_names_nobody_is_no_leak(phone: Phone) -> None:
    """The virtual number, another phone's address and our own words raise no alarm."""
    harmless = b"INVITE sip:+912025550100@127.0.0.1 SIP/2.0\r\nc=IN IP4 127.0.0.3\r\n"
    assert [name for name, needle in needles_of(phone) if needle in harmless] == []


def test_one_failure_fails_the_whole() -> None:
    """The summary is good only when there were checks and all of them held."""
    said: list[str] = []
    checks = Checks(said.append)
    assert not checks.is_good
    checks.expect("the first thing", is_true=True)
    assert checks.is_good
    checks.expect("the second thing", is_true=False, detail="because")
    checks.expect("the third thing", is_true=True)
    assert not checks.is_good
    assert checks.summary() == "1 of 3 checks failed."
    assert said == [
        "  ok    the first thing",
        "  FAIL  the second thing  (because)",
        "  ok    the third thing",
    ]
