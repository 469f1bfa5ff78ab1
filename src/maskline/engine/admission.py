"""What an INVITE says, as far as its trunk is believed. Pure."""

from dataclasses import dataclass

from maskline.core.inventory import Trunk
from maskline.core.numbers import DID, E164, parse_number
from maskline.sip.events import InviteFacts
from maskline.sip.headers import NameAddr

_ANONYMOUS_HOST = "anonymous.invalid"  # RFC 3323 section 4.1.1.3
_ANONYMOUS_USERS = frozenset({"", "anonymous", "unknown", "restricted", "private"})
_HIDING = frozenset({"id", "user", "header"})  # RFC 3323 section 4.2, RFC 3325 section 9.3


@dataclass(frozen=True, slots=True)
class Dialling:
    """Who dialled what: the two things routing asks for."""

    dialled: DID
    caller: E164 | None


def read_dialling(invite: InviteFacts, trunk: Trunk) -> Dialling:
    """Take the dialled number and the caller from where this trunk puts them."""
    uri = invite.request_uri if trunk.dialled_from == "request_uri" else invite.to.uri
    number = parse_number(uri.user or "", country=trunk.country)
    dialled = DID(number.reveal()) if number else DID("")
    return Dialling(dialled=dialled, caller=_read_caller(invite, trunk))


def _read_caller(invite: InviteFacts, trunk: Trunk) -> E164 | None:
    if trunk.is_trusted_for_identity:
        for identity in invite.asserted:
            number = _number(identity, trunk)
            if number is not None:
                return number
    if invite.privacy & _HIDING:
        return None
    return _number(invite.from_, trunk)


def _number(identity: NameAddr, trunk: Trunk) -> E164 | None:
    user = identity.uri.user or ""
    if user.lower() in _ANONYMOUS_USERS or identity.uri.host.lower() == _ANONYMOUS_HOST:
        return None
    return parse_number(user, country=trunk.country)
