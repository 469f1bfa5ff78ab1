"""What a few lines of Python know of sessions, numbers and who is on them: the model the database is compared with."""

from typing import Final, NamedTuple

from hypothesis import strategies as st
from tests.world import SECOND

from maskline.core.masking import Role

WITHHELD: Final = 0
"""Stands for a caller without a number."""


class Kind(NamedTuple):
    """What a session has for strangers, and who is in it."""

    is_single: bool = False
    has_pin: bool = False
    is_forced: bool = False
    is_heard: bool = False

    @property
    def is_open(self) -> bool:
        return self.is_single and not self.has_pin

    @property
    def answers(self) -> bool:
        return self.has_pin or self.is_heard


KINDS = st.sampled_from(
    [
        Kind(),
        Kind(),
        Kind(is_heard=True),
        Kind(has_pin=True),
        Kind(has_pin=True, is_heard=True),
        Kind(has_pin=True, is_forced=True),
        Kind(is_single=True),
        Kind(is_single=True, has_pin=True),
        Kind(is_single=True, has_pin=True, is_forced=True),
    ]
)


class Live(NamedTuple):
    """What the model knows of a session."""

    first: int
    second: int | None
    number: int
    start_at: int
    end_at: int
    cooloff_s: int
    kind: Kind
    pins: tuple[str, str]
    last_caller: int | None = None
    """The stranger who called last; None for nobody, and for one without a number."""
    placed: tuple[int, int] = (0, 0)
    """When somebody was last put on the number for it, and in which order."""
    is_changeable: bool = False
    """Whether it was made for one party, so that its parties may change."""

    def free_at(self) -> int:
        return self.end_at + self.cooloff_s * SECOND

    def role_of(self, person_: int) -> Role | None:
        return {self.first: Role.FIRST, self.second: Role.SECOND}.get(person_)

    def other(self, role: Role) -> int | None:
        if self.kind.is_single:
            return self.first if role is Role.ANYONE else self.last_caller
        return self.second if role is Role.FIRST else self.first


class Left(NamedTuple):
    """A place on a number that somebody left before the session's end; `person` is None for any stranger."""

    session_id: str
    number: int
    person: int | None
    free_at: int


class Places:
    """Sessions, and the places their parties have left; asked at an instant in µs UTC."""

    def __init__(self) -> None:
        self.sessions: dict[str, Live] = {}
        self.left: list[Left] = []

    def has_left(self, now: int, number: int, person_: int | None, session_id: str | None = None) -> bool:
        """Say whether somebody's place of another session still cools off on the number."""
        return any(
            (it.number, it.person) == (number, person_) and it.free_at > now and it.session_id != session_id
            for it in self.left
        )

    def can_take(self, now: int, number: int, first: int, second: int | None, kind: Kind) -> bool:
        """Say whether the rules of allocation let such a session onto the number."""
        if any(self.has_left(now, number, it) for it in (first, second) if it is not None):
            return False
        if kind.is_open and self.has_left(now, number, None):
            return False
        for it in self.sessions.values():
            if it.number != number or it.free_at() <= now:
                continue
            if {it.first, it.second} & {first, second} - {None} or (it.kind.is_open and kind.is_open):
                return False
            is_live = now < it.end_at
            if is_live and ((it.kind.is_open and kind.answers) or (it.kind.answers and kind.is_open)):
                return False
        return True

    def is_refused(self, now: int, id_: str, before: Live, after: Live) -> bool:
        """Say whether the parties cannot be who they were to be."""
        parties = (after.first, after.second)
        if parties == (before.first, before.second):
            return False
        others = [it for other, it in self.sessions.items() if other != id_]
        joining = {after.first, after.second} - {None}
        joining -= {it for it, old in zip(parties, (before.first, before.second), strict=True) if it == old}
        return (
            after.first == after.second
            or any((it.first, it.second) == parties and now < it.end_at for it in others)
            or any(
                joining & {it.first, it.second} and it.number == after.number and it.free_at() > now
                for it in others
            )
            or any(self.has_left(now, after.number, it, id_) for it in joining)
        )

    def leave(self, now: int, id_: str, before: Live, after: Live) -> None:
        """Note whose places cool off since the parties changed."""
        if (before.first, before.second) == (after.first, after.second):
            return
        gone: set[int | None] = {before.first, before.second} - {after.first, after.second} - {None}
        if before.kind.is_open and after.second is not None:
            gone.add(None)
        self.left = [
            it
            for it in self.left
            if it.session_id != id_ or it.person is None or it.person not in (after.first, after.second)
        ]
        free_at = now + before.cooloff_s * SECOND
        self.left += [Left(id_, before.number, it, free_at) for it in gone]
