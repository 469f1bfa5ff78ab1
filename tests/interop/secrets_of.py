"""What each party must not learn of the other, and how to find it in bytes whatever it was turned into.

Every word a scenario plants on a leg contains that side's marker, so that one search finds them all.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

MARKERS = {"a": "qzalpha", "b": "qzbravo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One side of a call as its carrier knows it. `hosts` are its addresses, none of them shared."""

    side: str
    number: str
    hosts: tuple[str, ...]

    @property
    def marker(self) -> str:
        """The word in everything this side plants."""
        return MARKERS[self.side]

    @property
    def national(self) -> str:
        """The ten national digits."""
        return self.number[-10:]

    @property
    def identity(self) -> str:
        """An Identity header value that carries the number in its payload. Source: RFC 8225 section 8."""
        payload = json.dumps({"dest": {"tn": ["0"]}, "iat": 1, "orig": {"tn": self.number[1:]}})
        parts = (b'{"alg":"ES256","ppt":"shaken"}', payload.encode(), self.marker.encode())
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)

    def find_in(self, data: bytes) -> list[str]:
        """Which of this party's secrets stand in `data`, in any of the usual encodings."""
        lower = data.lower()
        found = [name for name, needle in self._needles() if needle.lower() in lower]
        spaced = rb"[ .()\-]{0,2}".join(re.escape(digit).encode() for digit in self.national)
        if re.search(spaced, data):
            found.append("number with separators")
        return found

    def _needles(self) -> Iterator[tuple[str, bytes]]:
        plain = [self.national, self.marker, *self.hosts]
        for text in plain:
            raw = text.encode()
            yield text, raw
            yield f"{text} in hex", raw.hex().encode()
            yield f"{text} in UTF-16", b"\0".join(bytes([byte]) for byte in raw)  # of either byte order
            yield f"{text} per cent", "".join(f"%{byte:02x}" for byte in raw).encode()
            yield f"{text} reversed", raw[::-1]
            for offset in range(3):
                yield f"{text} in base64", _base64_core(raw, offset)
        digits = self.number[1:]
        for start in (0, 1):  # nibbles are swapped in pairs; the pairs may begin at either digit
            swapped = bytes(int(digits[i + 1] + digits[i], 16) for i in range(start, len(digits) - 1, 2))
            yield "number in TBCD", swapped
        for text in (self.number, digits, self.national):
            for name in ("md5", "sha1", "sha256"):
                digest = hashlib.new(name, text.encode(), usedforsecurity=False)
                yield f"{name} of the number", digest.hexdigest().encode()
                yield f"{name} of the number", base64.b64encode(digest.digest()).rstrip(b"=")


def _base64_core(raw: bytes, offset: int) -> bytes:
    """The characters of base64 text that depend on `raw` alone when it begins at this offset of a triple."""
    text = base64.b64encode(b"\0" * offset + raw + b"\0\0")
    first = -(-offset * 8 // 6)
    last = (offset + len(raw)) * 8 // 6
    return text[first:last]
