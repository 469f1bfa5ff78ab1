"""What the demonstration proves, check by check."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

from maskline.demo.phone import Phone


@dataclass(slots=True)
class Checks:
    """Counts what held and what did not."""

    say: Callable[[str], None]
    good_count: int = 0
    failures: list[str] = field(default_factory=list)

    def expect(self, what: str, *, is_true: bool, detail: str = "") -> None:
        """Note one check."""
        if is_true:
            self.good_count += 1
        else:
            self.failures.append(what)
        self.say(f"  {'ok  ' if is_true else 'FAIL'}  {what}" + (f"  ({detail})" if detail else ""))

    def hears(self, phone: Phone, other: Phone) -> None:
        """`phone` must hear the tone of `other`, and not its own."""
        levels = phone.audio.levels_db(other.audio.tone_hz)
        self.expect(
            f"{phone.name} hears {other.audio.tone_hz} Hz and not {phone.audio.tone_hz} Hz",
            is_true=phone.audio.hears_only(other.audio.tone_hz),
            detail=", ".join(f"{tone_hz} Hz at {level:.0f} dB" for tone_hz, level in levels.items()),
        )

    @property
    def is_good(self) -> bool:
        """Whether everything held."""
        return not self.failures and self.good_count > 0

    def summary(self) -> str:
        """One line for the end."""
        if self.is_good:
            return f"{self.good_count} checks, all true: both talked, neither learned who the other is."
        return f"{len(self.failures)} of {self.good_count + len(self.failures)} checks failed."


def needles_of(phone: Phone) -> list[tuple[str, bytes]]:
    """What the other side must never be sent: number, name and address, plain and in usual disguises."""
    number = phone.number.reveal()
    texts = {
        "number": (number, number[1:], number[3:], f"0{number[3:]}"),
        "name": (phone.name, *phone.name.split()),
        "address": (phone.host,),
    }
    encodings: tuple[tuple[str, Callable[[str], bytes]], ...] = (
        ("", str.encode),
        ("reversed ", lambda text: text[::-1].encode()),
        ("hex ", lambda text: text.encode().hex().encode()),
        ("UTF-16 ", lambda text: text.encode("utf-16-le")),
    )
    return [
        (prefix + what, encode(text))
        for (what, forms), (prefix, encode) in product(texts.items(), encodings)
        for text in forms
    ]
