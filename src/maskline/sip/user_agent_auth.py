"""Digest answers of one leg or request; the arithmetic is in `sip.digest`.

Source: RFC 3261 section 22.
"""

from dataclasses import replace

from maskline.sip.digest import Challenge, Credentials, answer_challenge, choose_challenge
from maskline.sip.message import Response
from maskline.sip.user_agent_messages import Items

# One answer to a challenge; a second one only when the nonce was too old, which says nothing against the password.
RETRY_COUNT_MAX = 2
CHALLENGES = frozenset({401, 407})


class Authenticator:
    """Credentials and the challenge they answer at present.

    The first realm answered is the only one ever answered: a peer that asks for others gets nothing.
    """

    __slots__ = ("_challenge", "_credentials", "_nonce_count")

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._challenge: Challenge | None = None
        self._nonce_count = 0

    def accept(self, response: Response, retry_count: int) -> bool:
        """Take a 401 or 407 up; False when it is not to be answered (any more)."""
        challenge = choose_challenge(response, self._credentials)
        if challenge is None or retry_count >= RETRY_COUNT_MAX or (retry_count and not challenge.is_stale):
            return False
        self._challenge = challenge
        self._credentials = replace(self._credentials, realm=challenge.realm)
        if self._credentials.pin is not None:
            self._credentials.pin.realm = challenge.realm
        self._nonce_count = 0
        return True

    def credentials(self, method: str, uri: str, cnonce: str) -> Items:
        """Return the header field that answers the challenge in hand, for a request about to be sent."""
        if self._challenge is None:
            return ()
        self._nonce_count += 1
        answer = answer_challenge(
            self._challenge,
            self._credentials,
            method=method,
            uri=uri,
            cnonce=cnonce,
            nonce_count=self._nonce_count,
        )
        return (answer,)
