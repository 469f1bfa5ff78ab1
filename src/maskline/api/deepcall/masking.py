"""Set and unset: the two operations of the vendor's Masking page."""

from fastapi import Request, Response

from maskline.api.deepcall import answers, errors, values
from maskline.api.deepcall.body import Fields, read_fields
from maskline.api.deepcall.errors import Code, DeepCallError
from maskline.api.deepcall.kernel import DeepCallKernel
from maskline.api.deepcall.new_session import build_session
from maskline.core.allocation import PoolExhausted
from maskline.core.deepcall import MaskChoice, MasksUnset, NoSuchMask, SuccessShape, TooManyMasks
from maskline.core.inventory import Account
from maskline.core.masking import (
    MaskingSession,
    NewMaskingSession,
    PairIsLive,
    PartyIsVirtual,
    Role,
    SessionCreated,
)
from maskline.core.numbers import E164
from maskline.webhooks.deepcall_words import render_digits, render_time
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.deepcall_unset import unset_masks

SET_MESSAGE = "Masking set successfully"
UNSET_MESSAGE = "Masking unset successfully"
MOVED_MESSAGE = "Masking expiry changed successfully"


class MaskingAPI:
    """The operations. Each takes a request and returns its answer or raises DeepCallError."""

    def __init__(self, kernel: DeepCallKernel) -> None:
        self._kernel = kernel

    async def set(self, request: Request) -> Response:
        """POST Masking/set: give two persons a number between them."""
        fields = await read_fields(request)
        account = await self._kernel.authenticate(fields)
        now = self._kernel.clock.now()
        new = self._build_new(fields, account, now)
        outcome = await self._kernel.write(create_masking_session, account, new, now)
        match outcome:
            case SessionCreated(session=session):
                return self._reply(request, SET_MESSAGE, render_mask(session, account))
            case PairIsLive():
                raise DeepCallError(Code.PAIR_IS_LIVE)
            case PoolExhausted():
                raise DeepCallError(Code.POOL_EXHAUSTED)
            case PartyIsVirtual(role=role):
                raise errors.not_a_phone_number("m1" if role is Role.FIRST else "m2")

    async def unset(self, request: Request) -> Response:
        """POST Masking/unset: end masks, or move their end."""
        fields = await read_fields(request)
        account = await self._kernel.authenticate(fields)
        now = self._kernel.clock.now()
        choice = _read_choice(fields, account)
        ends_at = values.read_end(fields, now=now, timezone=account.timezone)
        count_max = self._kernel.settings.unset_count_max
        outcome = await self._kernel.write(
            unset_masks, account, choice, ends_at=ends_at, count_max=count_max, now=now
        )
        match outcome:
            case MasksUnset(sessions=sessions, is_moved=is_moved):
                data = {**render_mask(sessions[0], account), "count": len(sessions)}
                return self._reply(request, MOVED_MESSAGE if is_moved else UNSET_MESSAGE, data)
            case NoSuchMask():
                raise errors.invalid("there is no such live masking")
            case TooManyMasks():
                raise errors.invalid("more than one masking is meant; give both m1 and m2")

    def _build_new(self, fields: Fields, account: Account, now: int) -> NewMaskingSession:
        """Translate a set. Raises DeepCallError: 1000, 1501, 1502."""
        settings = self._kernel.settings
        m1, m2 = _read_party(fields, "m1", account), _read_party(fields, "m2", account)
        if m1 == m2:
            raise DeepCallError(Code.SAME_PARTY)
        return build_session(
            fields,
            account,
            settings,
            parties=(m1, m2),
            lasts_us=settings.expiry_minutes * values.MINUTE_US,
            repeat_rule=settings.repeat_rule,
            now=now,
        )

    def _reply(self, request: Request, message: str, data: dict[str, object]) -> Response:
        """A success in the shape that is set."""
        match self._kernel.settings.success_shape:
            case SuccessShape.UNION:
                rest: dict[str, object] = {
                    "data": data,
                    "mask": data["mask"],
                    "expiry_time": data["expiry_time"],
                }
            case SuccessShape.DATA:
                rest = {"data": data}
            case SuccessShape.TOP:
                rest = data
            case SuccessShape.MASK:
                return answers.reply(request, 200, {"status": "success", "mask": data["mask"]})
        return self._kernel.reply(request, message, rest)


def render_mask(session: MaskingSession, account: Account) -> dict[str, object]:
    """A mask as `set` answers it. People's numbers are in the result, as in the request."""
    return {
        "mask": render_digits(session.virtual_number),
        "m1": render_digits(session.first),
        "m2": render_digits(session.second),
        "eventId": session.reference,
        "expiry_time": render_time(session.ends_at, account.timezone),
    }


def _read_choice(fields: Fields, account: Account) -> MaskChoice:
    """Which masks are meant. Raises DeepCallError: 1000, 1501."""
    choice = MaskChoice(
        m1=values.read_phone(fields, "m1", account.country),
        m2=values.read_phone(fields, "m2", account.country),
        masks=values.read_mask(fields, account.country),
    )
    if choice == MaskChoice():
        raise errors.missing("m1, m2 or mask")
    if choice.is_pair and choice.m1 == choice.m2:
        raise DeepCallError(Code.SAME_PARTY)
    return choice


def _read_party(fields: Fields, name: str, account: Account) -> E164:
    number = values.read_phone(fields, name, account.country)
    if number is None:
        raise errors.missing(name)
    return number
