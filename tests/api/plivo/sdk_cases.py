"""What official clients are asked to do: every parameter of create and update, every filter of the list.

Names are the vendor's, as in Python; other clients write them their own way.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.api.service import PAIR, Tenant

from maskline.core.inventory import NewNumbers, Subaccount
from maskline.core.numbers import DID
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.numbers import NumbersAdded, add_numbers

_URL: Final = "https://app.example.com/maskline/"
_PIN: Final = {
    "is_pin_authentication_required": True,
    "first_party_pin": "1234",
    "second_party_pin": "98765",
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter, a value, what must be given with it, and what the session object then shows."""

    name: str
    value: Any
    shown: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def _echoed(name: str, value: object, **beside: object) -> Parameter:
    return Parameter(name=name, value=value, shown={name: value}, beside=beside)


_BOTH: Final = (
    Parameter(name="session_expiry", value=900, shown={"duration": 900}),
    _echoed("call_time_limit", 1440),
    _echoed("ring_timeout", 30),
    _echoed("record", True),
    _echoed("record_file_format", "wav"),
    _echoed("recording_callback_url", _URL + "recording?a=1&b=%20"),
    _echoed("recording_callback_method", "GET"),
    _echoed("callback_url", _URL + "event#rc=2"),
    _echoed("callback_method", "GET"),
    _echoed("first_party_play_url", _URL + "first.mp3"),
    _echoed("second_party_play_url", _URL + "second.wav"),
)
UPDATE: Final = _BOTH
"""Parameters with which a session can be updated, and what it shows afterwards."""

CREATE: Final = (
    Parameter(
        name="first_party",
        value="+14155550123",
        shown={"first_party": "14155550123"},
        beside={"geomatch": False},
    ),
    Parameter(name="second_party", value="14155550123", shown={"second_party": "14155550123"}),
    *_BOTH,
    _echoed("initiate_call_to_first_party", True),
    _echoed("unknown_caller_play", _URL + "unknown.mp3"),
    _echoed("is_pin_authentication_required", True, **{k: v for k, v in _PIN.items() if k.endswith("_pin")}),
    Parameter(
        name="generate_pin",
        value=True,
        shown={"generate_pin": True, "generate_pin_length": 4},
        beside={"is_pin_authentication_required": True},
    ),
    _echoed("generate_pin_length", 7, is_pin_authentication_required=True, generate_pin=True),
    _echoed("first_party_pin", "0042", **{**_PIN, "first_party_pin": None}),
    _echoed("second_party_pin", "123456789012345", **{**_PIN, "second_party_pin": None}),
    _echoed("pin_prompt_play", _URL + "prompt.mp3", **_PIN),
    _echoed("pin_retry", 3, **_PIN),
    _echoed("pin_retry_wait", 8, **_PIN),
    _echoed("incorrect_pin_play", _URL + "wrong.mp3", **_PIN),
    _echoed("force_pin_authentication", True, **_PIN),
    Parameter(name="geomatch", value=True),
    Parameter(
        name="create_session_with_single_party",
        value=True,
        shown={"create_session_with_single_party": True, "second_party": ""},
        beside={"second_party": None},
    ),
    _echoed("virtual_number_cooloff_period", 3600),
)
"""Parameters of create but `subaccount`, whose value is another for each account."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Filters of a list by the vendor's names, and which sessions of a `Ground` they find, newest first."""

    found: str
    given: dict[str, Any]

    def __str__(self) -> str:
        return ",".join(self.given) + (f"={self.given['status']}" if "status" in self.given else "")


def _compared(name: str, value: object, **found: str) -> list[Filter]:
    return [
        Filter(given={name if key == "eq" else f"{name}__{key}": value}, found=letters)
        for key, letters in found.items()
    ]


FILTERS: Final = (
    Filter(given={}, found="CBA"),
    Filter(given={"first_party": PAIR["first_party"]}, found="BA"),
    Filter(given={"second_party": "912025552222"}, found="B"),
    Filter(given={"virtual_number": "{number}"}, found="B"),
    Filter(given={"status": "active"}, found="CA"),
    Filter(given={"status": "expired"}, found="B"),
    Filter(given={"status": "all"}, found="CBA"),
    Filter(given={"status": "in-progress"}, found=""),
    Filter(given={"subaccount": "{subaccount}"}, found="C"),
    *_compared("created_time", "{created}", eq="B", gt="C", gte="CB", lt="A", lte="BA"),
    *_compared("expiry_time", "{expiry}", eq="C", gt="A", gte="CA", lt="B", lte="CB"),
    *_compared("duration", 1200, eq="C", gt="A", gte="CA", lt="B", lte="CB"),
    Filter(given={"created_time__lte": "{created}", "expiry_time__lt": "{expiry}"}, found="B"),
    Filter(given={"limit": 2}, found="CB"),
    Filter(given={"offset": 1}, found="BA"),
    Filter(given={"limit": 1, "offset": 2, "status": "all"}, found="A"),
)


@dataclass(frozen=True)
class Ground:
    """Three sessions of an account: A and B of one first party, C of a sub-account. B has expired.

    A lasts from the first second for 1800 s, B from 100 s for 600 s, C from 200 s for 1200 s; it is 800 s now.
    """

    tenant: Tenant
    subaccount: Subaccount
    letters: dict[str, str]
    texts: dict[str, str]

    def fill(self, given: dict[str, Any]) -> dict[str, Any]:
        """The values of filters, about this ground."""
        return {
            name: value.format(**self.texts) if isinstance(value, str) else value
            for name, value in given.items()
        }

    def read(self, session_uuids: list[str]) -> str:
        """The sessions' letters."""
        return "".join(self.letters[it] for it in session_uuids)


def prepare_ground(tenant: Tenant) -> Ground:
    """Make the three sessions. They have numbers of their own but A and C."""
    service = tenant.service
    subaccount = new_subaccount(tenant)
    made: list[dict[str, Any]] = []
    for fields in (
        {"session_expiry": 1800},
        {"session_expiry": 600, "second_party": "+912025552222"},
        {
            "session_expiry": 1200,
            "first_party": "+912025553333",
            "second_party": "+912025554444",
            "subaccount": subaccount.auth_id,
        },
    ):
        made.append(tenant.create(**fields)["session"])
        service.manual_clock.advance(s=100)
    service.manual_clock.advance(s=500)
    _, second, third = made
    return Ground(
        tenant=tenant,
        subaccount=subaccount,
        letters={session["session_uuid"]: letter for session, letter in zip(made, "ABC", strict=True)},
        texts={
            "number": f"+{second['virtual_number']}",
            "subaccount": subaccount.auth_id,
            "created": second["created_time"].removesuffix(" +0000 UTC"),
            "expiry": third["expiry_time"].removesuffix(" +0000 UTC"),
        },
    )


def new_subaccount(tenant: Tenant) -> Subaccount:
    """A sub-account with a number only it may use."""
    service = tenant.service
    made = service.run(create_subaccount, tenant.account, "branch", service.clock.now())
    assert isinstance(made, Subaccount)
    new = NewNumbers(
        numbers=(DID(f"+91804{tenant.account.id:07d}"),),
        account_id=tenant.account.id,
        trunk_id=service.trunk.id,
        subaccount_id=made.id,
    )
    assert isinstance(service.run(add_numbers, new, service.clock.now()), NumbersAdded)
    return made
