"""Recordings: what the switch, the converting worker, the API and the command line do with them.

Each change of state writes its event in the same transaction and answers with a value; doing it again
changes nothing.
"""

import hmac
from dataclasses import replace
from typing import Final

from maskline.core.events import EventKind, EventValue
from maskline.core.inventory import Account
from maskline.core.masking import MICROSECONDS, RecordFormat
from maskline.core.recording import (
    CapturedLeg,
    ConvertedRecording,
    LinkRefused,
    NewRecording,
    NotedLegs,
    Recording,
    RecordingFailure,
    RecordingFilter,
    RecordingLink,
    RecordingNotFound,
    RecordingPage,
    RecordingState,
    render_link_text,
)
from maskline.store import outbox, recording_lists
from maskline.store import recordings as rows
from maskline.store.engine import Tx
from maskline.workflows.accounts import load_account_of

NOTE_COUNT_MAX: Final = 100
"""Re-INVITEs of one call that may change its codecs; a peer that makes more gains nothing but disk space."""


def start_recording(tx: Tx, new: NewRecording, now: int) -> bool:
    """Note a capture that begins with the bridge, and tell of it; False when its call has a recording."""
    parties = rows.load_call_parties(tx, new.call_id)
    if not rows.insert_recording(tx, new, parties.switch_id):
        return False
    _tell(
        tx,
        EventKind.RECORDING_STARTED,
        new,
        occurred_at=now,
        facts={**parties.facts, "started_at": new.started_at},
    )
    return True


def fail_recording(tx: Tx, recording: str | NewRecording, failure: RecordingFailure, now: int) -> bool:
    """Give a recording up, and tell of it; False when it was settled before or is not there.

    A recording that was never started is given whole: then the failure is all that is ever told of it.
    """
    if isinstance(recording, NewRecording):
        parties = rows.load_call_parties(tx, recording.call_id)
        if rows.insert_recording(tx, recording, parties.switch_id, failure=failure, now=now):
            facts = {
                **parties.facts,
                "started_at": recording.started_at,
                "failure": failure.value,
                "is_call_finished": parties.is_finished,
            }
            _tell(tx, EventKind.RECORDING_FAILED, recording, occurred_at=now, facts=facts)
            return True
        recording = recording.id
    failed = rows.fail(tx, recording, failure, now)
    if failed is None:
        return False
    _tell(
        tx,
        EventKind.RECORDING_FAILED,
        failed,
        occurred_at=now,
        facts={**_facts(tx, failed), "failure": failure.value},
    )
    return True


def note_recording_codecs(tx: Tx, recording_id: str, legs: tuple[CapturedLeg, ...], now: int) -> bool:
    """Note what a re-INVITE made of the payload types; False when nothing is captured under this id."""
    return rows.append_note(tx, recording_id, NotedLegs(noted_at=now, legs=legs), NOTE_COUNT_MAX)


def take_captured_recording(tx: Tx, switch_id: str, now: int, lease_until: int) -> Recording | None:
    """Take the captured recording that is due first for one worker until `lease_until`."""
    return rows.take_captured(tx, switch_id, now, lease_until)


def take_up_lost_recordings(tx: Tx, switch_id: str, lapsed_before: int, now: int) -> int:
    """Let be converted what a switch left behind: captures of calls that are gone or whose claim ran out by then."""
    return rows.mark_lost_captured(tx, switch_id, lapsed_before, now)


def put_back_recording(tx: Tx, recording_id: str, due_at: int, *, is_counted: bool) -> bool:
    """Give a taken recording back to be tried again at `due_at`."""
    return rows.put_back(tx, recording_id, due_at, is_counted=is_counted)


def keep_recording(tx: Tx, recording_id: str, lease_until: int) -> bool:
    """Keep a taken recording for its worker until `lease_until`; False when it was settled meanwhile."""
    return rows.renew_lease(tx, recording_id, lease_until)


def complete_recording(tx: Tx, converted: ConvertedRecording, now: int) -> bool:
    """Say that a recording's audio is stored, and tell of it; False when it was settled before."""
    done = rows.complete(tx, converted, now)
    if done is None:
        return False
    _tell(tx, EventKind.RECORDING_COMPLETED, done, occurred_at=now, facts=_facts(tx, done))
    return True


def load_recording(tx: Tx, account: Account, recording_id: str, now: int) -> Recording | RecordingNotFound:
    """Load a recording that the account can hear now; a sub-account hears those of its own sessions."""
    found = recording_lists.load_completed(tx, account.id, recording_id, now)
    if found is None:
        return RecordingNotFound()
    recording, subaccount_id = found
    own = account.subaccount
    return recording if own is None or own.id == subaccount_id else RecordingNotFound()


def load_linked_recording(
    tx: Tx, link: RecordingLink, now: int
) -> Recording | RecordingNotFound | LinkRefused:
    """Load the recording that a signed link allows to hear now, for whoever has the link."""
    text = render_link_text(link.auth_id, link.recording_id, link.format, link.expires_s)
    is_genuine = hmac.compare_digest(tx.keys.link_signature(text), link.signature)
    account = (
        load_account_of(tx, link.auth_id) if is_genuine and now < link.expires_s * MICROSECONDS else None
    )
    return LinkRefused() if account is None else load_recording(tx, account, link.recording_id, now)


def sign_recording_link(
    tx: Tx, auth_id: str, recording_id: str, format_: RecordFormat, expires_s: int
) -> RecordingLink:
    """Make a link that works until `expires_s` (Unix time), for the file as that account sees it."""
    signature = tx.keys.link_signature(render_link_text(auth_id, recording_id, format_, expires_s))
    return RecordingLink(
        auth_id=auth_id,
        recording_id=recording_id,
        format=format_,
        expires_s=expires_s,
        signature=signature,
    )


def list_recordings(tx: Tx, account: Account, wanted: RecordingFilter, now: int) -> RecordingPage:
    """List recordings that the account can hear now, newest first; a sub-account sees its own."""
    own = account.subaccount
    if own is not None:
        wanted = replace(wanted, subaccount_id=own.id)
    recordings, total_count = recording_lists.load_page(tx, replace(wanted, account_id=account.id), now)
    return RecordingPage(recordings=recordings, total_count=total_count)


def delete_recording(tx: Tx, account: Account, recording_id: str, now: int) -> bool:
    """Delete a recording that the account can hear now; its audio goes within seconds. False when there is none.

    The row stays, as deleted: that there was a recording is part of the call's account.
    """
    if isinstance(load_recording(tx, account, recording_id, now), RecordingNotFound):
        return False
    return recording_lists.mark_deleted(tx, account.id, recording_id, now)


def expire_recordings(tx: Tx, now: int) -> int:
    """Delete up to 500 recordings that are older than their account keeps them; run again while it returns 500."""
    return recording_lists.mark_expired_deleted(tx, now)


def set_recording_retention(tx: Tx, account: Account, days: int | None) -> int:
    """Keep the account's recordings for so many days from now on, those made before included; None: for good."""
    return recording_lists.set_retention(tx, account.id, days)


def load_recording_retention(tx: Tx, account: Account) -> int | None:
    """Say for how many days the account's recordings are kept; None: for good."""
    return recording_lists.load_retention(tx, account.id)


def load_erasable_recordings(tx: Tx) -> tuple[tuple[str, str], ...]:
    """Load up to 500 deleted recordings whose audio may still be stored: id and storage key."""
    return recording_lists.load_erasable(tx)


def mark_recording_erased(tx: Tx, recording_id: str, now: int) -> None:
    """Say that nothing of a deleted recording is stored any more."""
    recording_lists.mark_erased(tx, recording_id, now)


def load_recording_states(tx: Tx, recording_ids: tuple[str, ...]) -> dict[str, RecordingState]:
    """Load the states of those of these recordings that exist."""
    return rows.load_states(tx, recording_ids)


def _facts(tx: Tx, recording: Recording) -> dict[str, EventValue]:
    parties = rows.load_call_parties(tx, recording.call_id)
    facts: dict[str, EventValue] = {
        **parties.facts,
        "started_at": recording.started_at,
        "ended_at": recording.ended_at,
        "is_call_finished": parties.is_finished,
    }
    if recording.state is RecordingState.COMPLETED:
        assert recording.duration_ms is not None, "the table checks it"
        facts |= {
            "duration_s": (recording.duration_ms + 500) // 1000,
            "duration_ms": recording.duration_ms,
        }
    return facts


def _tell(
    tx: Tx,
    kind: EventKind,
    recording: NewRecording | Recording,
    *,
    occurred_at: int,
    facts: dict[str, EventValue],
) -> None:
    outbox.insert_event(
        tx,
        kind,
        account_id=recording.account_id,
        session_id=recording.session_id,
        call_id=recording.call_id,
        sequence=outbox.take_sequence(tx, recording.session_id),
        occurred_at=occurred_at,
        facts={"recording_id": recording.id, "format": recording.format.value, **facts},
    )
