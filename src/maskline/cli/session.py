"""`maskline session ...`.

What is asked for and answered are the models of the native interface, on the database of this machine, too.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from cyclopts import App, Parameter
from pydantic import BaseModel, ValidationError

from maskline.api.native.calls import render_call
from maskline.api.native.errors import NativeError
from maskline.api.native.models.calls import Call
from maskline.api.native.models.sessions import NewSession, Session
from maskline.api.native.parsing import refusal_of
from maskline.api.native.session_mapping import (
    build_new_session,
    change_refusal,
    creation_refusal,
    render_session,
)
from maskline.cli.context import Context, found
from maskline.cli.number import find_account
from maskline.cli.remote import sessions as remote
from maskline.cli.remote.connection import to_app_error
from maskline.client.errors import build_problem
from maskline.core.listing import PAGE_LIMIT_MAX, CallListFilter, PageKey, SessionListFilter
from maskline.core.masking import (
    MaskingSession,
    RepeatRule,
    SessionCreated,
    SessionNotFound,
    SessionStatus,
)
from maskline.core.pin import PIN_LIMITS
from maskline.errors import AppError, InputError
from maskline.store.engine import Tx
from maskline.workflows import calls as call_work
from maskline.workflows import own_sessions as work

T = TypeVar("T")

LISTED_COUNT_MAX: Final = 1_000  # lines that somebody reads
_COLUMNS: Final = ("id", "virtual_number", "first", "second", "status", "ends_at", "reference")
_CALL_COLUMNS: Final = ("id", "started_at", "duration_s", "result", "reason", "recording_id")


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="session", help="Masking sessions and their calls.")
    app.command(group)
    _add_making(group, context)
    _add_reading(group, context)


def _add_making(group: App, context: Context) -> None:
    @group.command(name="create")
    def create(
        account: str,
        first: str,
        second: str | None = None,
        /,
        *,
        expires_in_s: int | None = None,
        cooloff_s: int | None = None,
        call_time_limit_s: int | None = None,
        ring_timeout_s: int | None = None,
        record: Annotated[bool | None, Parameter(negative="")] = None,
        pool: str | None = None,
        subaccount: str | None = None,
        reference: str | None = None,
        on_repeat: Literal["update", "refuse", "reuse"] | None = None,
    ) -> None:
        """Create a masking session and print its virtual number.

        Args:
            account: Name or auth id of the account.
            first: The first party's number, with its plus.
            second: The second party's; without it any stranger may call the first party.
            expires_in_s: How long it lives, 60 s to 365 days; default 1800.
            cooloff_s: How long afterwards its parties cannot have the number in another session; default 0.
            call_time_limit_s: How long a call may last; default 14400.
            ring_timeout_s: How long the other phone rings; default 45.
            record: Record its calls.
            pool: Name of the pool to choose the number from; by default all of the account's.
            subaccount: Auth id of the sub-account whose it is.
            reference: Your own name for it.
            on_repeat: What becomes of a live session of the same pair: update (the default), refuse or reuse.
        """
        wanted = _build(
            NewSession,
            first=first,
            second=second,
            expires_in_s=expires_in_s,
            cooloff_s=cooloff_s,
            call_time_limit_s=call_time_limit_s,
            ring_timeout_s=ring_timeout_s,
            record=record,
            pool=pool,
            subaccount=subaccount,
            reference=reference,
            on_repeat=None if on_repeat is None else RepeatRule(on_repeat),
        )
        made = context.perform(_create, remote.create_session, account, wanted, context.clock.now())
        _answer(context, made)

    @group.command(name="end")
    def end(account: str, session: str, /) -> None:
        """End a session now.

        Args:
            account: Name or auth id of the account.
            session: Id of the session.
        """
        ended = context.perform(_end, remote.end_session, account, session, context.clock.now())
        _answer(context, found(ended, "session", session))


def _add_reading(group: App, context: Context) -> None:
    @group.command(name="show")
    def show(account: str, session: str, /) -> None:
        """Show a session.

        Args:
            account: Name or auth id of the account.
            session: Id of the session.
        """
        loaded = context.perform(_load, remote.load_session, account, session, context.clock.now())
        _answer(context, found(loaded, "session", session))

    @group.command(name="list")
    def list_some(
        account: str,
        /,
        *,
        status: Literal["active", "expired"] | None = None,
        reference: str | None = None,
        limit: int = PAGE_LIMIT_MAX,
    ) -> None:
        """List an account's sessions, newest first.

        Args:
            account: Name or auth id of the account.
            status: Only active or only expired ones.
            reference: Only those of this reference.
            limit: How many at most.
        """
        sessions = context.perform(
            _list,
            remote.list_sessions,
            account,
            status=None if status is None else SessionStatus(status),
            reference=reference,
            limit=_check_limit(limit),
            now=context.clock.now(),
        )
        context.answer_table([_members(it) for it in sessions], _COLUMNS, "There are no sessions.")

    @group.command(name="calls")
    def list_calls(account: str, session: str, /, *, limit: int = PAGE_LIMIT_MAX) -> None:
        """List a session's finished calls, newest first.

        Args:
            account: Name or auth id of the account.
            session: Id of the session.
            limit: How many at most.
        """
        count = _check_limit(limit)
        calls = context.perform(_calls, remote.list_calls, account, session, count, context.clock.now())
        rows = [_members(it) | _ending(it) for it in calls]
        context.answer_table(rows, _CALL_COLUMNS, "There are no calls.")


def _build(model: type[NewSession], **given: Any) -> NewSession:
    try:
        return model(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise _refused(refusal_of(error)) from None


def _refused(error: NativeError) -> AppError:
    """The error that the same refusal of a service elsewhere would be."""
    problem = build_problem(error.status, error.body())
    assert problem is not None, "ours has a code"
    return to_app_error(problem)


def _create(tx: Tx, account: str, wanted: NewSession, now: int) -> Session:
    owner = find_account(tx, account)
    try:
        new = build_new_session(wanted)
    except NativeError as error:
        raise _refused(error) from None
    outcome = work.create_own_session(
        tx, owner, new, now, PIN_LIMITS, pool=wanted.pool, subaccount=wanted.subaccount
    )
    if not isinstance(outcome, SessionCreated):
        raise _refused(creation_refusal(outcome))
    return render_session(outcome.session, now, shows_pins=True)


def _load(tx: Tx, account: str, session: str, now: int) -> Session | None:
    loaded = work.load_own_session(tx, find_account(tx, account), session)
    return None if isinstance(loaded, SessionNotFound) else render_session(loaded, now, shows_pins=True)


def _list(
    tx: Tx, account: str, *, status: SessionStatus | None, reference: str | None, limit: int, now: int
) -> tuple[Session, ...]:
    owner = find_account(tx, account)

    def page(before: PageKey | None, count: int) -> Sequence[MaskingSession]:
        wanted = SessionListFilter(
            account_id=owner.id, status=status, reference=reference, before=before, limit=count
        )
        return work.list_own_sessions(tx, owner, wanted, now).sessions

    sessions = _walk(page, lambda it: PageKey(it.created_at, it.id), limit)
    return tuple(render_session(it, now, shows_pins=True) for it in sessions)


def _end(tx: Tx, account: str, session: str, now: int) -> Session | None:
    outcome = work.end_own_session(tx, find_account(tx, account), session, now)
    if isinstance(outcome, MaskingSession):
        return render_session(outcome, now, shows_pins=True)
    if isinstance(outcome, SessionNotFound):
        return None
    raise _refused(change_refusal(outcome))


def _calls(tx: Tx, account: str, session: str, limit: int, now: int) -> tuple[Call, ...]:
    owner = find_account(tx, account)

    def page(before: PageKey | None, count: int) -> Sequence[Any]:
        wanted = CallListFilter(account_id=owner.id, session_id=session, before=before, limit=count)
        return call_work.list_calls(tx, owner, wanted, now).calls

    calls = _walk(page, lambda it: PageKey(it.started_at, it.call_id), limit)
    return tuple(render_call(it) for it in calls)


def _walk(
    page: Callable[[PageKey | None, int], Sequence[T]], key: Callable[[T], PageKey], limit: int
) -> list[T]:
    """Page by page, until there are `limit` things or no more."""
    walked: list[T] = []
    while len(walked) < limit:
        count = min(PAGE_LIMIT_MAX, limit - len(walked))
        part = page(key(walked[-1]) if walked else None, count)
        walked += part
        if len(part) < count:
            break
    return walked


def _check_limit(limit: int) -> int:
    if not 1 <= limit <= LISTED_COUNT_MAX:
        raise InputError(f"--limit: 1 to {LISTED_COUNT_MAX}")
    return limit


def _members(model: BaseModel) -> dict[str, object]:
    return model.model_dump(mode="json")


def _ending(call: Call) -> dict[str, object]:
    ending = call.termination
    return {
        "result": None if ending is None else ending.result.value,
        "reason": None if ending is None else ending.reason.value,
    }


def _answer(context: Context, session: Session) -> None:
    members = _members(session)
    context.answer(members, *(f"{name:<15} {members[name] or '-'}" for name in _COLUMNS))
