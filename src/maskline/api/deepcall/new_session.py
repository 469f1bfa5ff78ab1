"""What a set and a click to call ask of a new mask alike."""

from maskline.api.deepcall import errors, values
from maskline.api.deepcall.body import Fields
from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.core.inventory import Account
from maskline.core.masking import NewMaskingSession, RepeatRule
from maskline.core.numbers import DID, E164


def build_session(
    fields: Fields,
    account: Account,
    settings: DeepCallSettings,
    *,
    parties: tuple[E164, E164],
    lasts_us: int,
    repeat_rule: RepeatRule,
    now: int,
    shown: DID | None = None,
    ring_timeout_s: int | None = None,
) -> NewMaskingSession:
    """Translate what is given of a mask; it lasts `lasts_us` where nothing is. Raises DeepCallError: 1000, 1502.

    `shown` is the number it must have; the parties differ.
    """
    ends_at = values.read_end(fields, now=now, timezone=account.timezone)
    if ends_at is None:
        ends_at = now + lasts_us
    if ends_at <= now:
        raise errors.invalid("the expiry is in the past")
    first, second = parties
    return NewMaskingSession(
        first=first,
        second=second,
        ends_at=ends_at,
        ring_timeout_s=ring_timeout_s,
        is_recorded=settings.record_format is not None,
        record_format=settings.record_format,
        is_geomatched=False,
        is_pair_ordered=False,
        repeat_rule=repeat_rule,
        reference=values.read_event_id(fields),
        virtual_number=shown,
        prefers_own_number=settings.has_own_numbers,
    )
