"""Agree on a masking session: find it a number, or update the live one of the same pair."""

import hashlib
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from maskline.core.allocation import (
    CANDIDATE_COUNT_MAX,
    Candidate,
    PoolExhausted,
    explain_exhaustion,
    order_candidates,
)
from maskline.core.events import EventKind
from maskline.core.ids import RANDOM_LENGTH, draw_ordered_id
from maskline.core.inventory import Account, AllocationPolicy, CooloffScope
from maskline.core.masking import (
    CALL_TIME_LIMIT_S_DEFAULT,
    MICROSECONDS,
    RING_TIMEOUT_S_DEFAULT,
    SESSION_EXPIRY_S_DEFAULT,
    CallbackMethod,
    NewMaskingSession,
    PairIsLive,
    PartyIsVirtual,
    PinSettings,
    RecordFormat,
    RepeatRule,
    Role,
    SessionCreated,
)
from maskline.core.numbers import ANYONE, DID, PartyRef
from maskline.core.pin import PIN_LIMITS, PinLimits, pin_weight, pin_weight_max
from maskline.store import bindings, call_orders, numbers, outbox, pools, session_writes, sessions
from maskline.store.bindings import Rules, Wish
from maskline.store.engine import RetryableError, Tx

_PAGE_SIZE: Final = 8
"""Candidates of one look with first fit: the first is free unless others are creating at this moment."""
_PIN_DRAW_COUNT_MAX: Final = 8
"""Pairs of PINs drawn for one number before the next number is tried."""
_PAIR_KEY_LENGTH: Final = 32

_NO_PIN: Final = PinSettings()


class _Request(NamedTuple):
    """A request with everything that does not depend on the number it gets."""

    account: Account
    new: NewMaskingSession
    session_id: str
    first_ref: PartyRef | None
    second_ref: PartyRef | None
    wish: Wish
    now: int
    end_at: int

    @property
    def is_one_party(self) -> bool:
        return self.first_ref is None or self.second_ref is None

    @property
    def calls_first(self) -> bool:
        """Whether the service owes a call: it takes two to be joined."""
        return self.new.calls_first and not self.is_one_party


class _Pins(NamedTuple):
    first: str
    second: str


class _Outcome(Enum):
    """What became of one number."""

    DONE = auto()
    PAIR_EXISTS = auto()
    PINS_TAKEN = auto()
    NUMBER_TAKEN = auto()


def create_masking_session(
    tx: Tx, account: Account, new: NewMaskingSession, now: int, limits: PinLimits = PIN_LIMITS
) -> SessionCreated | PairIsLive | PoolExhausted | PartyIsVirtual:
    """Make a session, or do what the repeat rule says with the live one of the same pair (and sub-account).

    On update the given updatable fields replace, absent ones stay, and the end becomes now plus the
    given or default expiry; what is fixed at creation stays as it stands. `new` names at least one party.

    Source: docs/api/plivo.md, Create.
    """
    request = _prepare(tx, account, new, now, limits)
    ours = numbers.load_virtual_refs(tx, request.first_ref, request.second_ref)
    if request.first_ref in ours:
        return PartyIsVirtual(role=Role.FIRST)
    if request.second_ref in ours:
        return PartyIsVirtual(role=Role.SECOND)
    if (repeated := _repeat(tx, request)) is not None:
        return repeated
    return _allocate(tx, request)


def _prepare(tx: Tx, account: Account, new: NewMaskingSession, now: int, limits: PinLimits) -> _Request:
    assert new.first is not None or new.second is not None, "a session names a party"
    first_ref = None if new.first is None else tx.keys.ref(new.first)
    second_ref = None if new.second is None else tx.keys.ref(new.second)
    assert first_ref != second_ref, "the parties of a session differ"
    registered = new.first or new.second
    assert registered is not None
    is_one_party = first_ref is None or second_ref is None
    rules = Rules(
        is_open=is_one_party and new.pin is None,
        answers_strangers=new.pin is not None or bool(new.unknown_caller_url),
        is_cooloff_for_all=account.cooloff_scope is CooloffScope.NUMBER,
        is_strict=account.has_strict_pins and new.pin is not None,
    )
    wish = Wish(
        account_id=account.id,
        subaccount_id=new.subaccount_id,
        country=registered.region if new.is_geomatched else None,
        first_ref=first_ref or (ANYONE if rules.is_open else second_ref or ANYONE),
        second_ref=second_ref or (ANYONE if rules.is_open else first_ref or ANYONE),
        pair_key=pair_key(
            new.subaccount_id,
            first_ref or ANYONE,
            second_ref or ANYONE,
            is_ordered=new.is_pair_ordered,
        ),
        rules=rules,
        pin_weight=0 if new.pin is None else sum(pin_weight(length) for length in _pin_lengths(new.pin)),
        pin_weight_max=pin_weight_max(limits),
        pool_id=new.pool_id,
    )
    return _Request(
        account=account,
        new=new,
        session_id=draw_ordered_id(now, tx.random_bytes(RANDOM_LENGTH)),
        first_ref=first_ref,
        second_ref=second_ref,
        wish=wish,
        now=now,
        end_at=new.ends_at or now + (new.expires_in_s or SESSION_EXPIRY_S_DEFAULT) * MICROSECONDS,
    )


def pair_key(subaccount_id: int | None, first_ref: str, second_ref: str, *, is_ordered: bool) -> str:
    """Say what counts as the same pair, with ANYONE for nobody; ordered and unordered pairs are never the same."""
    pair = f"{first_ref}|{second_ref}" if is_ordered else "+".join(sorted((first_ref, second_ref)))
    return hashlib.sha256(f"{subaccount_id or 0}|{pair}".encode()).hexdigest()[:_PAIR_KEY_LENGTH]


def _repeat(tx: Tx, request: _Request) -> SessionCreated | PairIsLive | None:
    """Do what the creator wants with the live session of the pair, if there is one."""
    account, new, now = request.account, request.new, request.now
    live = session_writes.lock_live_pair(tx, account.id, request.wish.pair_key, now)
    if live is None:
        return None
    if new.repeat_rule is not RepeatRule.UPDATE:
        as_it_is = _created(tx, request, live.id, is_new=False, should_call_first=False)
        return as_it_is if new.repeat_rule is RepeatRule.REUSE else PairIsLive(session=as_it_is.session)
    should_call_first = request.calls_first and not session_writes.has_recent_call(tx, live, now)
    sequence = session_writes.update_session(
        tx,
        live,
        end_at=request.end_at,
        now=now,
        call_time_limit_s=new.call_time_limit_s,
        ring_timeout_s=new.ring_timeout_s,
        is_recorded=new.is_recorded,
        record_format=new.record_format,
        recording_callback_url=new.recording_callback_url,
        recording_callback_method=new.recording_callback_method,
        callback_url=new.callback_url,
        callback_method=new.callback_method,
        first_play_url=new.first_play_url,
        second_play_url=new.second_play_url,
        called_first_at=now if should_call_first else None,
        reference=new.reference,
    )
    if should_call_first:
        call_orders.insert_order(tx, live.id, Role.FIRST, now)
    _emit(tx, EventKind.SESSION_UPDATED, request, live.id, sequence)
    return _created(tx, request, live.id, is_new=False, should_call_first=should_call_first)


def _allocate(tx: Tx, request: _Request) -> SessionCreated | PairIsLive | PoolExhausted:
    """Try free numbers in the policy's order until one takes the session and its bindings."""
    wish, now = request.wish, request.now
    _insert_parties(tx, request)
    bindings.release_parties(tx, wish.first_ref, wish.second_ref, now)
    had_pin_clash = False
    for asked, candidate in _tries(tx, request):
        match _occupy(tx, asked, candidate.number_id):
            case _Outcome.DONE:
                _emit(tx, EventKind.SESSION_CREATED, request, request.session_id, 1)
                if request.calls_first:
                    call_orders.insert_order(tx, request.session_id, Role.FIRST, now)
                return _created(
                    tx, request, request.session_id, is_new=True, should_call_first=request.calls_first
                )
            case _Outcome.PAIR_EXISTS:
                if (repeated := _repeat(tx, request)) is not None:
                    return repeated
                raise RetryableError  # it was ended between our insert and our look
            case _Outcome.PINS_TAKEN:
                had_pin_clash = True
            case _Outcome.NUMBER_TAKEN:
                pass
    return explain_exhaustion(bindings.count_pool(tx, wish, had_pin_clash=had_pin_clash, now=now))


def _insert_parties(tx: Tx, request: _Request) -> None:
    given = ((request.first_ref, request.new.first), (request.second_ref, request.new.second))
    present = [(ref, number) for ref, number in given if ref is not None and number is not None]
    for ref, number in sorted(present, key=lambda it: it[0]):  # one order, so that creators do not deadlock
        session_writes.insert_party(tx, request.account.id, ref, number, request.now)


def _tries(tx: Tx, request: _Request) -> Iterator[tuple[_Request, Candidate]]:
    """Yield free numbers in the order in which they are tried, each with what is asked of it."""
    if request.new.prefers_own_number:
        alone = request._replace(wish=request.wish._replace(rules=request.wish.rules._replace(is_alone=True)))
        for candidate in _candidates(tx, alone):
            yield alone, candidate
    for candidate in _candidates(tx, request):
        yield request, candidate


def _candidates(tx: Tx, request: _Request) -> Iterator[Candidate]:
    """Yield free numbers in the policy's order, at most CANDIDATE_COUNT_MAX."""
    if request.new.virtual_number is not None:
        yield from _only_candidate(tx, request, request.new.virtual_number)
        return
    policy = _policy(tx, request)
    if policy is not AllocationPolicy.FIRST_FIT:
        free = bindings.load_candidates(
            tx, request.wish, after_id=0, count_max=CANDIDATE_COUNT_MAX, now=request.now, has_history=True
        )
        yield from order_candidates(policy, free)
        return
    after_id = 0
    for _ in range(CANDIDATE_COUNT_MAX // _PAGE_SIZE):
        free = bindings.load_candidates(
            tx, request.wish, after_id=after_id, count_max=_PAGE_SIZE, now=request.now, has_history=False
        )
        yield from order_candidates(policy, free)
        if len(free) < _PAGE_SIZE:
            return
        after_id = free[-1].number_id


def _policy(tx: Tx, request: _Request) -> AllocationPolicy:
    """Say how the number is chosen; a pool that has gone meanwhile has no numbers, and then it does not matter."""
    account, pool_id = request.account, request.new.pool_id
    if pool_id is None:
        return account.policy
    return pools.load_policy(tx, account.id, pool_id) or account.policy


def _only_candidate(tx: Tx, request: _Request, number: DID) -> tuple[Candidate, ...]:
    """The one number that is asked for, if it is free."""
    found = numbers.load_number(tx, number)
    if found is None:
        return ()
    free = bindings.load_candidates(
        tx, request.wish, after_id=found.id - 1, count_max=1, now=request.now, has_history=False
    )
    return tuple(it for it in free if it.number_id == found.id)


def _occupy(tx: Tx, request: _Request, number_id: int) -> _Outcome:
    """Put the session on a number; with generated PINs, draw others when they are taken there."""
    pin = request.new.pin
    if pin is None:
        return _try_number(tx, request, number_id, None)
    if not pin.is_generated:
        return _try_number(tx, request, number_id, _given_pins(tx, pin))
    outcome = _Outcome.PINS_TAKEN
    for _ in range(_PIN_DRAW_COUNT_MAX):
        outcome = _try_number(tx, request, number_id, _draw_pins(tx, pin.length))
        if outcome is not _Outcome.PINS_TAKEN:
            break
    return outcome


def _given_pins(tx: Tx, pin: PinSettings) -> _Pins:
    """Take the PINs as given; a one-party session may give one, and the other is drawn for whoever joins it."""
    drawn = _draw_pins(tx, pin.length)
    first = drawn.first if pin.first is None else pin.first.reveal()
    second = drawn.second if pin.second is None else pin.second.reveal()
    while first == second:
        drawn = _draw_pins(tx, pin.length)
        first, second = (drawn.first, second) if pin.first is None else (first, drawn.second)
    return _Pins(first, second)


def _try_number(tx: Tx, request: _Request, number_id: int, pins: _Pins | None) -> _Outcome:
    """Insert the session and its bindings on a number, all or nothing."""
    if not bindings.hold_number(tx, request.wish, number_id, now=request.now):
        return _Outcome.NUMBER_TAKEN
    hashes: tuple[str | None, str | None] = (None, None)
    if pins is not None:
        hashes = (tx.keys.pin_hash(pins.first), tx.keys.pin_hash(pins.second))
        bindings.release_pins(tx, number_id, hashes, request.now)
    with tx.savepoint() as savepoint:
        if not session_writes.insert_session(tx, **_session_columns(tx, request, number_id, pins)):
            savepoint.undo()
            return _Outcome.PAIR_EXISTS
        if not _insert_bindings(tx, request, number_id, hashes):
            savepoint.undo()
            return _Outcome.NUMBER_TAKEN if pins is None else _Outcome.PINS_TAKEN
    return _Outcome.DONE


def _insert_bindings(
    tx: Tx, request: _Request, number_id: int, hashes: tuple[str | None, str | None]
) -> bool:
    pin = request.new.pin
    lengths = (None, None) if pin is None else _pin_lengths(pin)
    first, second = zip(hashes, lengths, strict=True)
    wanted: list[tuple[str, Role, tuple[str | None, int | None]]] = []
    if request.first_ref is not None:
        wanted.append((request.first_ref, Role.FIRST, first))
    if request.second_ref is not None:
        wanted.append((request.second_ref, Role.SECOND, second))
    if request.wish.rules.is_open:
        wanted.append((ANYONE, Role.ANYONE, (None, None)))
    elif request.is_one_party:
        # The other PIN is nobody's: it hangs on a reference that no number has.
        other = first if request.first_ref is None else second
        wanted.append((tx.random_bytes(16).hex(), Role.ANYONE, other))
    free_at = request.end_at + request.new.cooloff_s * MICROSECONDS
    return all(
        bindings.insert_binding(
            tx,
            virtual_number_id=number_id,
            party_ref=ref,
            session_id=request.session_id,
            role=role.value,
            can_call=True,
            start_at=request.now,
            end_at=request.end_at,
            free_at=free_at,
            pin_hash=pin_hash,
            answers_strangers=request.wish.rules.answers_strangers,
            pin_length=pin_length,
        )
        for ref, role, (pin_hash, pin_length) in sorted(wanted, key=lambda it: it[0])
    )


def _session_columns(tx: Tx, request: _Request, number_id: int, pins: _Pins | None) -> dict[str, Any]:
    new, id_ = request.new, request.session_id
    pin = new.pin or _NO_PIN
    sealed: tuple[bytes | None, bytes | None] = (None, None)
    if pins is not None:
        sealed = (
            tx.keys.seal(pins.first, sessions.pin_place(id_, "first")),
            tx.keys.seal(pins.second, sessions.pin_place(id_, "second")),
        )
    return {
        "id": id_,
        "account_id": request.account.id,
        "subaccount_id": new.subaccount_id,
        "virtual_number_id": number_id,
        "kind": "one-party" if request.is_one_party else "pair",
        "first_ref": request.first_ref,
        "second_ref": request.second_ref,
        "pair_key": request.wish.pair_key,
        "created_at": request.now,
        "modified_at": request.now,
        "start_at": request.now,
        "end_at": request.end_at,
        "cooloff_s": new.cooloff_s,
        "call_time_limit_s": new.call_time_limit_s or CALL_TIME_LIMIT_S_DEFAULT,
        "ring_timeout_s": new.ring_timeout_s or RING_TIMEOUT_S_DEFAULT,
        "is_recorded": bool(new.is_recorded),
        "record_format": (new.record_format or RecordFormat.MP3).value,
        "recording_callback_url": new.recording_callback_url or "",
        "recording_callback_method": (new.recording_callback_method or CallbackMethod.POST).value,
        "callback_url": new.callback_url or "",
        "callback_method": (new.callback_method or CallbackMethod.POST).value,
        "first_play_url": new.first_play_url or "",
        "second_play_url": new.second_play_url or "",
        "unknown_caller_url": new.unknown_caller_url or "",
        "calls_first": new.calls_first,
        "called_first_at": request.now if request.calls_first else None,
        "is_geomatched": new.is_geomatched,
        "is_single_party": new.is_single_party,
        "has_pin": new.pin is not None,
        "first_pin_sealed": sealed[0],
        "second_pin_sealed": sealed[1],
        "pin_is_generated": pin.is_generated,
        "pin_length": pin.length,
        "pin_prompt_url": pin.prompt_url,
        "pin_retry_count": pin.retry_count,
        "pin_retry_wait_s": pin.retry_wait_s,
        "incorrect_pin_url": pin.incorrect_url,
        "is_pin_forced": pin.is_forced,
        "total_leg_count": 0,
        "total_duration_s": 0,
        "total_billed_s": 0,
        "event_count": 1,
        "reference": new.reference,
    }


def _pin_lengths(pin: PinSettings) -> tuple[int, int]:
    """How long both PINs are; one that is not given is drawn."""
    if pin.is_generated:
        return (pin.length, pin.length)
    first, second = (pin.length if it is None else len(it.reveal()) for it in (pin.first, pin.second))
    return (first, second)


def _draw_pins(tx: Tx, length: int) -> _Pins:
    """Draw two different PINs; 16 bytes over 10**15 leave no bias worth naming."""

    def draw() -> str:
        return str(int.from_bytes(tx.random_bytes(16)) % 10**length).zfill(length)

    first = second = draw()
    while second == first:
        second = draw()
    return _Pins(first, second)


def _created(tx: Tx, request: _Request, id_: str, *, is_new: bool, should_call_first: bool) -> SessionCreated:
    session = sessions.load_session(tx, request.account.id, id_)
    assert session is not None, "written in this transaction"
    return SessionCreated(session=session, is_new=is_new, should_call_first=should_call_first)


def _emit(tx: Tx, kind: EventKind, request: _Request, session_id: str, sequence: int) -> None:
    outbox.insert_event(
        tx,
        kind,
        account_id=request.account.id,
        session_id=session_id,
        sequence=sequence,
        occurred_at=request.now,
        facts={"first": request.first_ref, "second": request.second_ref, "ends_at": request.end_at},
    )
