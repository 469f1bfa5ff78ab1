"""Text that must never be printed by accident: tokens, passwords, PINs."""

from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Hold a text that only `reveal` gives away; it prints as a constant and refuses to be pickled."""

    _text: str

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(hidden)"

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not serialised; reveal it where it is meant")
