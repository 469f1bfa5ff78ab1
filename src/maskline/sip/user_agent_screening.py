"""What a request meets before anything is made of it: one table of methods, then the checks in RFC order.

Source: RFC 3261 section 8.2.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from maskline.sip.message import Request
from maskline.sip.user_agent_messages import ALLOW, DTMF_TYPES, SDP_TYPE, Items
from maskline.sip.user_agent_session import media_type


class Refusal(NamedTuple):
    """A final answer that needs no leg, not always a refusal; without `to_tag` it gets a fresh one."""

    status: int
    extra: Items = ()
    to_tag: str | None = None


_NOT_ALLOWED: Final = Refusal(405, (("Allow", ALLOW),))

# Methods we know and do not serve. Whatever is neither here nor served is answered 501.
REFUSED_METHODS: Final[Mapping[str, Refusal]] = MappingProxyType(
    {
        "REFER": Refusal(603),
        "REGISTER": _NOT_ALLOWED,
        "MESSAGE": _NOT_ALLOWED,
        "SUBSCRIBE": _NOT_ALLOWED,
        "NOTIFY": _NOT_ALLOWED,
        "PUBLISH": _NOT_ALLOWED,
    }
)
SERVED_METHODS: Final = frozenset({"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "PRACK"})
OPTION_TAGS: Final = frozenset({"timer", "100rel"})


def screen_method(request: Request) -> Refusal | None:
    """Refuse methods we do not serve (8.2.1)."""
    if request.method in SERVED_METHODS:
        return None
    return REFUSED_METHODS.get(request.method, Refusal(501, (("Allow", ALLOW),)))


def screen_content(request: Request) -> Refusal | None:
    """Refuse extensions we have not (8.2.2.3) and bodies we do not read (8.2.3)."""
    headers = request.headers
    wanted = (*headers.all("Require"), *headers.all("Proxy-Require"))
    unknown = [tag for tag in wanted if tag.lower() not in OPTION_TAGS]
    if unknown:
        return Refusal(420, (("Unsupported", ", ".join(unknown)),))
    if request.body and request.method in {"INVITE", "UPDATE", "INFO", "PRACK"}:
        accepted = DTMF_TYPES if request.method == "INFO" else (SDP_TYPE,)
        if media_type(request) not in accepted:
            return Refusal(415, (("Accept", ", ".join(accepted)),))
        encoding = headers.get("Content-Encoding")
        if encoding is not None and encoding.lower() != "identity":
            return Refusal(415, (("Accept-Encoding", "identity"),))
    return None


def options_answer() -> Items:
    """Return what OPTIONS is told: the same to everybody, whatever goes on here (11.2)."""
    return ("Allow", ALLOW), ("Accept", SDP_TYPE), ("Supported", ", ".join(sorted(OPTION_TAGS, reverse=True)))
