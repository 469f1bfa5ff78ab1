"""Asking a receiver of reports whether it is one, before anything is sent there.

Source: Sarv DeepCall, push report (2026): the URL is called and must answer with the word.
"""

from typing import Final

from maskline.core.delivery import EndpointCheck
from maskline.outbound.types import OutboundFailed, OutboundLimits, OutboundRefused

from .ports import OutboundHTTP

WORD: Final = "GODBLESSYOU"
CHECK_S: Final = 5.0
"""For both calls together three times what a receiver at work takes: somebody waits for the answer."""
CHECK_COUNT_MAX: Final = 8
"""Checks at one time; more wait within their own time."""
ANSWER_BYTES_MAX: Final = 16_384
"""Read of an answer: the word stands alone, or in a page that somebody's framework put around it."""

_CALLS: Final = (("POST", b"{}"), ("GET", None))


async def check_receiver(http: OutboundHTTP, url: str) -> EndpointCheck:
    """Call `url` as reports will call it, then, if that did not help, as a browser would; say what came of it.

    Which of the two the vendor makes is not known, and receivers are written for one of them.
    """
    found = EndpointCheck.UNREACHABLE
    for method, body in _CALLS:
        found = await _call(http, method, url, body)
        if found is EndpointCheck.CONFIRMED:
            break
    return found


async def _call(http: OutboundHTTP, method: str, url: str, body: bytes | None) -> EndpointCheck:
    headers = {} if body is None else {"Content-Type": "application/json"}
    each_s = CHECK_S / len(_CALLS)
    limits = OutboundLimits(
        total_s=each_s,
        connect_s=each_s,
        read_s=each_s,
        response_bytes_max=ANSWER_BYTES_MAX,
        cuts_body=True,
    )
    try:
        answer = await http.request(method, url, headers=headers, body=body, limits=limits)
    except (OutboundRefused, OutboundFailed):
        return EndpointCheck.UNREACHABLE
    if not 200 <= answer.status < 300:
        return EndpointCheck.WRONG_STATUS
    return EndpointCheck.CONFIRMED if WORD.encode() in answer.body else EndpointCheck.WRONG_WORD
