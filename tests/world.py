"""A little world in a database: one account, one trunk, some numbers and people."""

from dataclasses import replace
from typing import Any, Final

from maskline.core.allocation import PoolExhausted
from maskline.core.call_record import CallClaim, CallClaimed, CallRecord, NewCall, RefusedCall
from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, Trunk, TrunkSettings
from maskline.core.masking import (
    MaskingSession,
    NewMaskingSession,
    PairIsLive,
    PartyIsVirtual,
    Role,
    SessionCreated,
)
from maskline.core.numbers import DID, E164
from maskline.core.termination import Reason, terminate
from maskline.store.engine import Store, Tx
from maskline.workflows.accounts import create_account
from maskline.workflows.claim_call import claim_call
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.finish_call import finish_call
from maskline.workflows.numbers import NumbersAdded, add_numbers
from maskline.workflows.trunks import add_trunk

NOW: Final = 1_790_000_000_000_000
"""Some moment in 2026, in microseconds UTC; whole seconds."""
SECOND: Final = 1_000_000


def person(index: int, *, country: str = "IN") -> E164:
    """Someone of a country; the same index is the same person."""
    return E164(f"+9198{index:08d}") if country == "IN" else E164(f"+1415{index:07d}")


def virtual(index: int, *, country: str = "IN") -> DID:
    """A virtual number of a country."""
    return DID(f"+9122{index:08d}" if country == "IN" else f"+1212{index:07d}")


class World:
    """What a test starts from. Everything happens at `now`, which a test moves."""

    def __init__(self, store: Store, *, number_count: int = 3, account: NewAccount | None = None) -> None:
        self.store = store
        self.now = NOW
        created = store.run(create_account, account or NewAccount(name="Acme"), self.now)
        assert isinstance(created, Account)
        self.account = created
        trunk = store.run(
            add_trunk,
            TrunkSettings(name=f"trunk of {created.name}", targets=(Target(host="192.0.2.1"),)),
            self.now,
        )
        assert isinstance(trunk, Trunk)
        self.trunk = trunk
        if number_count:
            self.add_numbers(*(virtual(index) for index in range(number_count)))

    def add_numbers(
        self, *numbers: DID, account: Account | None = None, subaccount_id: int | None = None
    ) -> None:
        """Lease numbers to the account."""
        account_id = (account or self.account).id
        new = NewNumbers(
            numbers=numbers, account_id=account_id, trunk_id=self.trunk.id, subaccount_id=subaccount_id
        )
        assert isinstance(self.store.run(add_numbers, new, self.now), NumbersAdded)

    def ask(
        self, first: int | None = 1, second: int | None = 2, **given: Any
    ) -> SessionCreated | PairIsLive | PoolExhausted | PartyIsVirtual:
        """Ask for a session of two people, named by index."""
        return self.store.run(self.ask_in, first, second, **given)

    def ask_in(
        self, tx: Tx, /, first: int | None = 1, second: int | None = 2, **given: Any
    ) -> SessionCreated | PairIsLive | PoolExhausted | PartyIsVirtual:
        """Ask for a session in a transaction of the caller's."""
        account = given.pop("account", self.account)
        new = NewMaskingSession(
            first=None if first is None else person(first),
            second=None if second is None else person(second),
            **given,
        )
        return create_masking_session(tx, account, new, self.now)

    def create(self, first: int | None = 1, second: int | None = 2, **given: Any) -> MaskingSession:
        """Make a session that must succeed."""
        created = self.ask(first, second, **given)
        assert isinstance(created, SessionCreated), created
        return created.session

    def claim(self, session: MaskingSession, call_id: str = "c1", **changed: Any) -> CallClaim:
        """Claim a session for a call of its first party."""
        return self.store.run(claim_call, self.new_call(session, call_id, **changed), self.now)

    def new_call(self, session: MaskingSession, call_id: str = "c1", **changed: Any) -> NewCall:
        """A call of the session's first party to its second; in a one-party session, a stranger's."""
        registered = session.second or session.first
        assert registered is not None
        is_pair = session.first is not None and session.second is not None
        call = NewCall(
            call_id=call_id,
            switch_id="switch-1",
            session_id=session.id,
            account_id=session.account_id,
            number=session.virtual_number,
            caller=session.first if is_pair else person(99),
            callee=registered,
            role=Role.FIRST if is_pair else Role.ANYONE,
            started_at=self.now,
            lease_until=self.now + 30 * SECOND,
        )
        return replace(call, **changed)

    def record(self, session: MaskingSession | None, call_id: str = "c1", **changed: Any) -> CallRecord:
        """A call of the session's first party: 3 s ringing, 10 s talk, hung up by the caller."""
        record = CallRecord(
            call_id=call_id,
            session_id=None if session is None else session.id,
            account_id=self.account.id,
            number=virtual(0) if session is None else session.virtual_number,
            caller=person(1) if session is None else session.first,
            callee=None if session is None else session.second,
            role=None if session is None else Role.FIRST,
            is_callee_dialled=session is not None,
            started_at=self.now,
            ringing_at=self.now + SECOND,
            answered_at=self.now + 3 * SECOND,
            callee_answered_at=self.now + 3 * SECOND,
            bridged_at=self.now + 3 * SECOND,
            ended_at=self.now + 13 * SECOND,
            termination=terminate(Reason.CALLER_HUNG_UP),
        )
        return replace(record, **changed)

    def be_called(self, session: MaskingSession, caller: E164 | None, call_id: str = "c1") -> None:
        """Let a stranger's call to a one-party session happen."""
        new = self.new_call(session, call_id, caller=caller)
        claimed = self.store.run(claim_call, new, self.now)
        assert isinstance(claimed, CallClaimed)
        record = self.record(session, call_id, caller=caller, callee=new.callee, role=new.role)
        self.store.run(finish_call, record, self.now)

    def refused(self, call_id: str, **changed: Any) -> RefusedCall:
        """A stranger's call to the first number."""
        refused = RefusedCall(
            call_id=call_id,
            number=virtual(0),
            account_id=self.account.id,
            session_id=None,
            caller=person(99),
            role=None,
            started_at=self.now,
            ended_at=self.now,
            termination=terminate(Reason.NO_SESSION),
        )
        return replace(refused, **changed)


def peek(store: Store, query: str, *params: object) -> list[tuple[Any, ...]]:
    """Look into the tables behind the store's back; `?` for parameters."""

    def look(tx: Tx) -> list[tuple[Any, ...]]:
        text = query if tx.database == "sqlite" else query.replace("?", "%s")
        rows: list[tuple[Any, ...]] = tx._raw.execute(text, params).fetchall()
        return rows

    return store.read(look)


def poke(store: Store, statement: str, *params: object) -> None:
    """Change the tables behind the store's back."""

    def change(tx: Tx) -> None:
        tx._raw.execute(statement if tx.database == "sqlite" else statement.replace("?", "%s"), params)

    store.run(change)
