"""What an INVITE says, as far as its trunk is believed. Pure."""

from dataclasses import dataclass
from functools import lru_cache

from maskline.core.inventory import NumberFormat, Trunk
from maskline.core.number_format import read_number
from maskline.core.numbers import DID, E164, NUMBER_TEXT_LENGTH_MAX
from maskline.sip.events import InviteFacts
from maskline.sip.headers import NameAddr

CACHE_SIZE = 4096  # the numbers that call and are called at one time; parsing one costs 30 us
_ANONYMOUS_HOST = "anonymous.invalid"  # RFC 3323 section 4.1.1.3
_CHANGING_PARAMS = frozenset({"ext", "isub", "phone-context"})  # RFC 3966 section 5: another number with them
_HIDING = frozenset({"id", "user", "header"})  # RFC 3323 section 4.2, RFC 3325 section 9.3


@dataclass(frozen=True, slots=True)
class Dialling:
    """Who dialled what: the two things routing asks for."""

    dialled: DID
    caller: E164 | None


def read_dialling(invite: InviteFacts, trunk: Trunk) -> Dialling:
    """Take the dialled number and the caller from where this trunk puts them."""
    uri = invite.request_uri if trunk.dialled_from == "request_uri" else invite.to.uri
    number = _parse_user(uri.user, trunk.number_format, trunk.country)
    dialled = DID(number.reveal()) if number else DID("")
    return Dialling(dialled=dialled, caller=_read_caller(invite, trunk))


def _read_caller(invite: InviteFacts, trunk: Trunk) -> E164 | None:
    if trunk.is_trusted_for_identity and invite.asserted:
        # What a trusted carrier asserts decides, also when it is no number: From is the caller's own word.
        asserted = (_number(identity, trunk) for identity in invite.asserted)
        return next((number for number in asserted if number is not None), None)
    if invite.privacy & _HIDING:
        return None
    return _number(invite.from_, trunk)


def _number(identity: NameAddr, trunk: Trunk) -> E164 | None:
    if identity.uri.host.lower() == _ANONYMOUS_HOST:
        return None
    return _parse_user(identity.uri.user, trunk.caller_format or trunk.number_format, trunk.country)


def _parse_user(user: str | None, format_: NumberFormat, country: str) -> E164 | None:
    """Read a user part as a number; what carriers append about its porting is no part of it."""
    text, *params = (user or "").split(";")
    if any(param.partition("=")[0].lower() in _CHANGING_PARAMS for param in params):
        return None
    return _cached_number(text, format_, country)


@lru_cache(CACHE_SIZE)
def _cached_number(text: str, format_: NumberFormat, country: str) -> E164 | None:
    return read_number(text, format_, country=country) if len(text) <= NUMBER_TEXT_LENGTH_MAX else None
