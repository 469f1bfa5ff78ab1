"""Values with everything a test does not care about filled in."""

from dataclasses import replace
from typing import Any

from maskline.core.masking import CallbackMethod, MaskingSession, RecordFormat
from maskline.core.numbers import DID, E164


def a_session(**changed: Any) -> MaskingSession:
    """A masking session of two people."""
    session = MaskingSession(
        id="00000000-0000-4000-8000-000000000000",
        account_id=1,
        subaccount_id=None,
        subaccount_auth_id=None,
        virtual_number=DID("+912200000000"),
        first=E164("+919800000001"),
        second=E164("+919800000002"),
        created_at=0,
        modified_at=0,
        ends_at=1_800_000_000,
        ended_at=None,
        end_cause=None,
        call_time_limit_s=14_400,
        ring_timeout_s=45,
        is_recorded=False,
        record_format=RecordFormat.MP3,
        recording_callback_url="",
        recording_callback_method=CallbackMethod.POST,
        callback_url="",
        callback_method=CallbackMethod.POST,
        first_play_url="",
        second_play_url="",
        unknown_caller_url="",
        calls_first=False,
        pin=None,
        is_geomatched=True,
        is_single_party=None,
        cooloff_s=0,
        last_interaction_at=None,
        total_leg_count=0,
        total_duration_s=0,
        total_billed_s=0,
    )
    return replace(session, **changed)
