"""What a trunk becomes by the options it is given."""

import io
from dataclasses import replace
from typing import Any

import pytest

from maskline.cli.trunk_options import TrunkOptions, change_settings, read_password
from maskline.core.inventory import (
    DialledFrom,
    NumberFormat,
    Registration,
    Target,
    Transport,
    TrunkSettings,
)
from maskline.core.secret import Secret
from maskline.errors import InputError

PLAIN = TrunkSettings(name="carrier", targets=(Target(host="192.0.2.1"),), accept=("192.0.2.1/32",))
FULL = replace(
    PLAIN,
    media_networks=("198.51.100.0/24",),
    codecs=("PCMA",),
    number_format=NumberFormat.DIGITS,
    caller_format=NumberFormat.ZEROS,
    dial_prefix="77",
    sends_user_phone=True,
    from_host="us.example",
    dialled_from=DialledFrom.TO,
    username="us",
    password=Secret("secret"),
    realm="theirs",
    registration=Registration(registrar=Target(host="reg.example"), expires_s=300),
    has_health_check=False,
    max_calls=3,
)


@pytest.mark.parametrize("settings", [PLAIN, FULL])
def test_nothing_said_changes_nothing(settings: TrunkSettings) -> None:
    """Every option that is not given leaves things as they are."""
    assert change_settings(settings, TrunkOptions()) == settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"peer": "10.0.0.1:5070"}, {"targets": (Target(host="10.0.0.1", port=5070),)}),
        (
            {"target": ("a.example", "b.example;transport=udp"), "transport": "tls"},
            {"targets": (Target(host="a.example", transport=Transport.TLS), Target(host="b.example"))},
        ),
        ({"transport": "tcp"}, {"targets": (Target(host="192.0.2.1", transport=Transport.TCP),)}),
        ({"accept": ("10.0.0.0/8,192.0.2.9",)}, {"accept": ("10.0.0.0/8", "192.0.2.9/32")}),
        ({"media_network": ("none",)}, {"media_networks": ()}),
        ({"codec": ("opus",)}, {"codecs": ("opus",)}),
        ({"number_format": "00"}, {"number_format": NumberFormat.ZEROS}),
        ({"caller_format": "none"}, {"caller_format": None}),
        ({"dial_prefix": "*31#"}, {"dial_prefix": "*31#"}),
        ({"dial_prefix": "none"}, {"dial_prefix": ""}),
        ({"dialled_from": "request-uri"}, {"dialled_from": DialledFrom.REQUEST_URI}),
        ({"from_host": "none"}, {"from_host": None}),
        ({"username": "them"}, {"username": "them"}),
        ({"password": "other"}, {"password": Secret("other")}),
        ({"register": False}, {"registration": None}),
        ({"register": False, "username": "none"}, {"registration": None, "username": None, "password": None}),
        ({"registrar": "none"}, {"registration": Registration(expires_s=300)}),
        (
            {"registrar": "[::1]:5070", "register_expires": 60},
            {"registration": Registration(registrar=Target(host="::1", port=5070), expires_s=60)},
        ),
        ({"health_check": True, "user_phone": False}, {"has_health_check": True, "sends_user_phone": False}),
        ({"max_calls": "none"}, {"max_calls": None}),
    ],
)
def test_an_option_changes_its_setting_alone(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Whatever else the trunk has."""
    assert change_settings(FULL, TrunkOptions(**given)) == replace(FULL, **expected)


@pytest.mark.parametrize(
    "given",
    [
        {"username": "us"},
        {"password": "secret"},
        {"register": True},
        {"registrar": "reg.example"},
        {"register_expires": 300},
        {"peer": "10.0.0.1:5070", "target": ("10.0.0.1",)},
        {"peer": "10.0.0.1"},
        {"peer": "10.0.0.1:5070;priority=1"},
        {"target": ("10.0.0.1;priority=1", "10.0.0.1;priority=2")},
        {"target": tuple(f"10.0.0.{index}" for index in range(17))},
        {"username": "", "password": "x"},
        {"username": "u" * 256, "password": "x"},
        {"from_host": "two words"},
        {"dial_prefix": "12345678901234567"},
        {"max_calls": "0"},
        {"country": "India"},
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    """With a sentence for the operator."""
    with pytest.raises(InputError):
        change_settings(PLAIN, TrunkOptions(**given))


def test_a_password_is_read_before_anything_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """From standard input where a hyphen says so; the options then hold it."""
    monkeypatch.setattr("sys.stdin", io.StringIO("hush\n"))
    assert read_password(TrunkOptions(password="-")).password == "hush"
    assert read_password(TrunkOptions(password="plain")).password == "plain"
    assert read_password(TrunkOptions()).password is None
