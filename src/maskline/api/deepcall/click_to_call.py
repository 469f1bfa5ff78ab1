"""Click to call, in the three forms the vendor has had: both are called and see the virtual number.

Source: Sarv DeepCall, click to call v1 (2026); v2 and v3 as public clients of theirs call them.
"""

from collections.abc import Iterable

from fastapi import Request, Response

from maskline.api.deepcall import errors, values
from maskline.api.deepcall.body import Fields, read_fields
from maskline.api.deepcall.errors import Code, DeepCallError
from maskline.api.deepcall.kernel import DeepCallKernel
from maskline.api.deepcall.new_session import build_session
from maskline.core.allocation import PoolExhausted
from maskline.core.click_to_call import CallOrdered, NumberNotLeased, OtherNumberShown
from maskline.core.inventory import Account
from maskline.core.masking import (
    MICROSECONDS,
    RING_TIMEOUT_S_MAX,
    RING_TIMEOUT_S_MIN,
    SESSION_EXPIRY_S_DEFAULT,
    PartyIsVirtual,
    RepeatRule,
    Role,
)
from maskline.core.numbers import DID, E164
from maskline.webhooks.deepcall_words import render_digits
from maskline.workflows.click_to_call import click_to_call

FROM_TO_PATHS = ("/clickToCall/v1/para", "/v2/clickToCall/para")
AGENT_PATH = "/api/v3/clickToCall/para"
CLICK_METHODS = ("POST", "GET")
FROM_COUNT_MAX = 5
"""Numbers in `from`. Source: Sarv DeepCall, click to call v1."""
MESSAGE = "Call is being placed"

_NUMBER_TYPES = frozenset({"", "number"})  # agents and groups are of the vendor's panel


class ClickToCallAPI:
    """The operations. Each takes a request and returns its answer or raises DeepCallError."""

    def __init__(self, kernel: DeepCallKernel) -> None:
        self._kernel = kernel

    async def call_from_to(self, request: Request) -> Response:
        """Versions 1 and 2: `from` is called first, then `to`."""
        fields, account = await self._authenticate(request)
        for name in ("fromType", "toType"):
            _check_number_type(fields, name)
        pair = {
            "from": _read_numbers(fields, "from", account)[0],
            "to": _read_number(fields, "to", account),
        }
        shown = _read_shown(fields, ("cli", "fromCLI", "toCLI"), account)
        return await self._place(request, fields, account, pair, shown)

    async def call_agent_and_customer(self, request: Request) -> Response:
        """Version 3: `callFirst` says which of agent and customer is called first."""
        fields, account = await self._authenticate(request)
        _check_number_type(fields, "agentType")
        pair = {
            "agent_number": _read_numbers(fields, "agent_number", account)[0],
            "customer": _read_number(fields, "customer", account),
        }
        call_first = (values.read_text(fields, "callFirst") or "agent").lower()
        if call_first not in {"agent", "customer"}:
            raise errors.invalid("callFirst is neither agent nor customer")
        if call_first == "customer":
            pair = dict(reversed(pair.items()))
        shown = _read_shown(fields, ("customerCLI", "agentCLI", "fromCLI"), account)
        return await self._place(request, fields, account, pair, shown)

    async def _authenticate(self, request: Request) -> tuple[Fields, Account]:
        if request.method == "HEAD":  # nobody means a call by it
            raise DeepCallError(Code.INVALID, status=405, headers={"Allow": ", ".join(CLICK_METHODS)})
        fields = await read_fields(request)
        return fields, await self._kernel.authenticate(fields)

    async def _place(
        self, request: Request, fields: Fields, account: Account, pair: dict[str, E164], shown: DID | None
    ) -> Response:
        """Order the call of two by their fields, the first called first, who both see `shown`. Raises DeepCallError."""
        first, second = pair.values()
        if first == second:
            raise errors.invalid("both are the same number")
        now = self._kernel.clock.now()
        new = build_session(
            fields,
            account,
            self._kernel.settings,
            parties=(first, second),
            lasts_us=SESSION_EXPIRY_S_DEFAULT * MICROSECONDS,
            repeat_rule=RepeatRule.REUSE,
            now=now,
            shown=shown,
            ring_timeout_s=_read_ring_timeout(fields),
        )
        outcome = await self._kernel.write(click_to_call, account, new, now)
        match outcome:
            case CallOrdered(call_id=call_id, session=session):
                told = {"callId": call_id, "mask": render_digits(session.virtual_number)}
                return self._kernel.reply(request, MESSAGE, told)
            case NumberNotLeased():
                raise errors.invalid("the CLI is not one of your numbers")
            case OtherNumberShown():
                raise errors.invalid("these two have a mask on another number than the CLI")
            case PoolExhausted():
                raise DeepCallError(Code.POOL_EXHAUSTED)
            case PartyIsVirtual(role=role):
                raise errors.not_a_phone_number(list(pair)[0 if role is Role.FIRST else 1])


def _check_number_type(fields: Fields, name: str) -> None:
    if (values.read_text(fields, name) or "").lower() not in _NUMBER_TYPES:
        raise errors.invalid(f"{name} can only be Number")


def _read_numbers(fields: Fields, name: str, account: Account) -> tuple[E164, ...]:
    """One to five numbers with commas between them, all of them telephone numbers. Raises DeepCallError 1000."""
    text = values.read_text(fields, name)
    if text is None:
        raise errors.missing(name)
    parts = text.split(",")
    if len(parts) > FROM_COUNT_MAX:
        raise errors.invalid(f"{name} has more than {FROM_COUNT_MAX} numbers")
    found = [values.parse_phone(part.strip(), account.country) for part in parts]
    numbers = tuple(number for number in found if number is not None)
    if len(numbers) != len(parts):
        raise errors.not_a_phone_number(name)
    return numbers


def _read_number(fields: Fields, name: str, account: Account) -> E164:
    numbers = _read_numbers(fields, name, account)
    if len(numbers) > 1:
        raise errors.not_a_phone_number(name)
    return numbers[0]


def _read_shown(fields: Fields, names: Iterable[str], account: Account) -> DID | None:
    """The number both are to see: whichever leg it is given for, since there is one for both."""
    given = {
        _read_number(fields, name, account).reveal()
        for name in names
        if values.read_text(fields, name) is not None
    }
    if len(given) > 1:
        raise errors.invalid("both see one number: the CLIs differ")
    return DID(given.pop()) if given else None


def _read_ring_timeout(fields: Fields) -> int | None:
    """How long either phone rings: the longer of both times, within what the service allows; None when not given."""
    times = []
    for name in ("fromRingTime", "toRingTime"):
        text = values.read_text(fields, name)
        if text is None:
            continue
        seconds = values.parse_integer(text)
        if seconds is None:
            raise errors.invalid(f"{name} is not an integer")
        times.append(max(RING_TIMEOUT_S_MIN, min(seconds, RING_TIMEOUT_S_MAX)))
    return max(times, default=None)
