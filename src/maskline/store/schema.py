"""The tables of both databases. Invariants are constraints; what needs the clock is in statements.

Instants are integer microseconds UTC in `..._at` columns, durations whole seconds in `..._s`. Real numbers
are in `party.sealed` and nowhere else; every other table names a party by its keyed reference.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from . import (
    schema_api_keys,  # noqa: F401  # registers its tables
    schema_call_flow,  # noqa: F401  # registers its tables
    schema_deepcall,  # noqa: F401  # registers its tables
    schema_deliveries,  # noqa: F401  # registers its tables
    schema_recordings,  # noqa: F401  # registers its tables
    schema_trunks,  # noqa: F401  # registers its tables
    schema_usage,  # noqa: F401  # registers its tables
)
from .schema_base import CALL_ID, ID, INSTANT, REF, URL, index_while, metadata, unique_while

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("id", ID, primary_key=True),
    Column("auth_id", String(20), nullable=False, unique=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("country", String(3), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("token_sealed", LargeBinary, nullable=False),
    Column("policy", String(16), nullable=False),
    Column("cooloff_scope", String(16), nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("refusal_prompt_url", URL, nullable=False, server_default=""),  # or 'built-in'
    Column("has_webhooks", Boolean, nullable=False, server_default=false()),
    Column("has_strict_pins", Boolean, nullable=False, server_default=false()),
    Column("has_streams", Boolean, nullable=False, server_default=false()),
    Column("streams_until", INSTANT),
    CheckConstraint("policy IN ('first_fit', 'sticky', 'spread')", name="policy"),
    CheckConstraint("cooloff_scope IN ('party', 'number')", name="cooloff_scope"),
)
index_while("ix_account_streams", "has_streams", account.c.streams_until)

subaccount = Table(
    "subaccount",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("auth_id", String(20), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("token_sealed", LargeBinary, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    UniqueConstraint("account_id", "name"),
)

trunk = Table(
    "trunk",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("accept", Text, nullable=False),  # JSON list of CIDRs
    Column("media_networks", Text, nullable=False),  # JSON list of CIDRs
    Column("country", String(3), nullable=False),
    Column("codecs", Text, nullable=False),  # JSON list of names
    Column("is_trusted_for_identity", Boolean, nullable=False),
    Column("dialled_from", String(16), nullable=False),
    Column("sends_asserted", Boolean, nullable=False),
    Column("number_format", String(16), nullable=False),
    Column("username", String(255)),
    Column("password_sealed", LargeBinary),
    Column("max_calls", Integer),
    Column("created_at", INSTANT, nullable=False),
    Column("caller_format", String(16)),  # NULL: number_format
    Column("dial_prefix", String(16), nullable=False, server_default=""),
    Column("sends_user_phone", Boolean, nullable=False, server_default=false()),
    Column("from_host", String(255)),
    Column("realm", String(255)),
    Column("registration_s", Integer),  # NULL: it does not register
    Column("has_health_check", Boolean, nullable=False, server_default=true()),
    Column("removed_at", INSTANT),  # kept for numbers that it had once
    CheckConstraint("dialled_from IN ('request_uri', 'to')", name="dialled_from"),
    CheckConstraint("number_format IN ('plus', 'digits', 'national', '00')", name="number_format"),
    CheckConstraint(
        "caller_format IS NULL OR caller_format IN ('plus', 'digits', 'national', '00')", name="caller_format"
    ),
    CheckConstraint("registration_s IS NULL OR registration_s > 0", name="registration_s"),
)

pool = Table(
    "pool",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("subaccount_id", ID, ForeignKey("subaccount.id")),
    Column("name", String(200), nullable=False),
    Column("policy", String(16), nullable=False),
    Column("created_at", INSTANT, nullable=False),
    UniqueConstraint("account_id", "name"),
    CheckConstraint("policy IN ('first_fit', 'sticky', 'spread')", name="policy"),
)

virtual_number = Table(
    "virtual_number",
    metadata,
    Column("id", ID, primary_key=True),  # also the inventory order
    Column("number", String(16), nullable=False, unique=True),
    # The reference it would have as a party: routing and creation refuse our own numbers as parties by it.
    Column("ref", REF, nullable=False, unique=True),
    Column("country", String(3), nullable=False),
    Column("area", String(64)),
    Column("trunk_id", ID, ForeignKey("trunk.id"), nullable=False),
    Column("capabilities", String(64), nullable=False),  # words with blanks between: "voice"
    Column("health", String(16), nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("draining_at", INSTANT),
    Column("removed_at", INSTANT),
    CheckConstraint("health IN ('healthy', 'unhealthy')", name="health"),
    Index("ix_virtual_number_trunk_id", "trunk_id"),
)

number_lease = Table(
    "number_lease",
    metadata,
    Column("id", ID, primary_key=True),
    Column("virtual_number_id", ID, ForeignKey("virtual_number.id"), nullable=False),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("subaccount_id", ID, ForeignKey("subaccount.id")),
    Column("pool_id", ID, ForeignKey("pool.id")),
    Column("started_at", INSTANT, nullable=False),
    Column("ended_at", INSTANT),
    CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="interval"),
)
unique_while("uq_number_lease_open", "ended_at IS NULL", number_lease.c.virtual_number_id)
index_while(
    "ix_number_lease_open_account",
    "ended_at IS NULL",
    number_lease.c.account_id,
    number_lease.c.virtual_number_id,
)

party = Table(
    "party",
    metadata,
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("ref", REF, nullable=False),
    Column("sealed", LargeBinary),  # the E.164 number; NULL once erased
    Column("created_at", INSTANT, nullable=False),
    PrimaryKeyConstraint("account_id", "ref"),
)

masking_session = Table(
    "masking_session",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("subaccount_id", ID, ForeignKey("subaccount.id")),
    Column("virtual_number_id", ID, ForeignKey("virtual_number.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("first_ref", REF),
    Column("second_ref", REF),
    Column("pair_key", String(64)),  # NULL: not unique, as sessions of groups will be
    Column("created_at", INSTANT, nullable=False),
    Column("modified_at", INSTANT, nullable=False),
    Column("start_at", INSTANT, nullable=False),
    Column("end_at", INSTANT, nullable=False),
    Column("ended_at", INSTANT),
    Column("end_cause", String(16)),
    Column("released_at", INSTANT),  # since when another session may have its pair_key
    Column("cooloff_s", Integer, nullable=False),
    Column("call_time_limit_s", Integer, nullable=False),
    Column("ring_timeout_s", Integer, nullable=False),
    Column("is_recorded", Boolean, nullable=False),
    Column("record_format", String(8), nullable=False),
    Column("recording_callback_url", URL, nullable=False),
    Column("recording_callback_method", String(4), nullable=False),
    Column("callback_url", URL, nullable=False),
    Column("callback_method", String(4), nullable=False),
    Column("first_play_url", URL, nullable=False),
    Column("second_play_url", URL, nullable=False),
    Column("unknown_caller_url", URL, nullable=False),
    Column("calls_first", Boolean, nullable=False),
    Column("called_first_at", INSTANT),
    Column("is_geomatched", Boolean, nullable=False),
    Column("is_single_party", Boolean),
    Column("has_pin", Boolean, nullable=False),
    Column("first_pin_sealed", LargeBinary),
    Column("second_pin_sealed", LargeBinary),
    Column("pin_is_generated", Boolean, nullable=False),
    Column("pin_length", Integer, nullable=False),
    Column("pin_prompt_url", URL, nullable=False),
    Column("pin_retry_count", Integer, nullable=False),
    Column("pin_retry_wait_s", Integer, nullable=False),
    Column("incorrect_pin_url", URL, nullable=False),
    Column("is_pin_forced", Boolean, nullable=False),
    Column("last_interaction_at", INSTANT),
    Column("total_leg_count", Integer, nullable=False),
    Column("total_duration_s", Integer, nullable=False),
    Column("total_billed_s", Integer, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("reference", String(200)),  # the client's own
    CheckConstraint("start_at <= end_at", name="window"),
    CheckConstraint("(ended_at IS NULL) = (end_cause IS NULL)", name="ended"),
    CheckConstraint("ended_at IS NULL OR ended_at >= end_at", name="ended_after_end"),
    CheckConstraint("cooloff_s >= 0", name="cooloff"),
    CheckConstraint("kind IN ('pair', 'one-party', 'group')", name="kind"),
    CheckConstraint("kind = 'group' OR first_ref IS NOT NULL OR second_ref IS NOT NULL", name="parties"),
    # Both answer lists alone; they grow at their ends, so that their width costs creations little.
    Index("ix_masking_session_listing", "account_id", "created_at", "id", "end_at", "subaccount_id"),
    Index("ix_masking_session_ending", "account_id", "end_at", "created_at", "id", "subaccount_id"),
    Index("ix_masking_session_account_id_first_ref", "account_id", "first_ref", "created_at"),
    Index("ix_masking_session_account_id_second_ref", "account_id", "second_ref", "created_at"),
    Index("ix_masking_session_virtual_number_id", "virtual_number_id", "account_id", "created_at"),
)
unique_while(
    "uq_masking_session_pair",
    "released_at IS NULL",
    masking_session.c.account_id,
    masking_session.c.pair_key,
)
index_while(
    "ix_masking_session_reference",
    "reference IS NOT NULL",
    masking_session.c.account_id,
    masking_session.c.reference,
    masking_session.c.created_at,
)
index_while("ix_masking_session_open_end", "ended_at IS NULL", masking_session.c.end_at)

binding = Table(
    "binding",
    metadata,
    Column("id", ID, primary_key=True),
    Column("virtual_number_id", ID, ForeignKey("virtual_number.id"), nullable=False),
    Column("party_ref", REF, nullable=False),  # 'anyone' for nobody in particular
    Column("session_id", String(36), ForeignKey("masking_session.id"), nullable=False),
    Column("role", String(8), nullable=False),
    Column("can_call", Boolean, nullable=False),  # False: reached only, never let through (one-way)
    Column("start_at", INSTANT, nullable=False),
    Column("end_at", INSTANT, nullable=False),
    Column("free_at", INSTANT, nullable=False),  # end_at plus cool-off
    Column("released_at", INSTANT),
    Column("pin_hash", String(32)),  # HMAC of the PIN
    Column("code", String(16)),  # extension dialled after the number
    Column("answers_strangers", Boolean, nullable=False),  # its session has PIN or unknown_caller_play
    Column("pin_length", Integer),  # of the PIN that is hashed; NULL also in bindings older than this column
    CheckConstraint("start_at <= end_at AND end_at <= free_at", name="window"),
    CheckConstraint("released_at IS NULL OR released_at >= free_at", name="released"),
    CheckConstraint("role IN ('first', 'second', 'anyone', 'member')", name="role"),
    Index("ix_binding_route", "virtual_number_id", "party_ref", "end_at"),
    Index("ix_binding_session_id", "session_id"),
)
# I1: at most one live or cooling binding per (virtual number, party). Whether it is live depends on the
# clock, which no index condition can read; so the index holds the unreleased, and a lapsed binding is
# released by the transaction that wants its place.
unique_while("uq_binding_party", "released_at IS NULL", binding.c.virtual_number_id, binding.c.party_ref)
unique_while(
    "uq_binding_pin",
    "released_at IS NULL AND pin_hash IS NOT NULL",
    binding.c.virtual_number_id,
    binding.c.pin_hash,
)
unique_while(
    "uq_binding_code",
    "released_at IS NULL AND code IS NOT NULL",
    binding.c.virtual_number_id,
    binding.c.code,
)
# Both also find the newest live session that has something for strangers.
index_while(
    "ix_binding_open_strangers",
    "released_at IS NULL AND answers_strangers",
    binding.c.virtual_number_id,
    binding.c.start_at,
    binding.c.id,
)
index_while(
    "ix_binding_open_pin",
    "released_at IS NULL AND pin_hash IS NOT NULL",
    binding.c.virtual_number_id,
    binding.c.start_at,
    binding.c.id,
)
index_while("ix_binding_open_party", "released_at IS NULL", binding.c.party_ref, binding.c.free_at)
index_while("ix_binding_open_free", "released_at IS NULL", binding.c.free_at)

live_call = Table(
    "live_call",
    metadata,
    Column("call_id", CALL_ID, primary_key=True),
    Column("switch_id", String(64), nullable=False),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("session_id", String(36), ForeignKey("masking_session.id"), nullable=False),
    # Equal to session_id while the call holds its session; NULL once another call took a dead one's place.
    Column("busy_session_id", String(36), unique=True),
    Column("virtual_number_id", ID, ForeignKey("virtual_number.id"), nullable=False),
    Column("caller_ref", REF),
    Column("callee_ref", REF),
    Column("role", String(8), nullable=False),
    Column("started_at", INSTANT, nullable=False),
    Column("lease_until", INSTANT, nullable=False),
    Column("dialog_a_sealed", LargeBinary),
    Column("dialog_b_sealed", LargeBinary),
    Column("is_service_initiated", Boolean, nullable=False, server_default=false()),
    CheckConstraint("busy_session_id IS NULL OR busy_session_id = session_id", name="busy"),
    Index("ix_live_call_switch_id", "switch_id"),
)

call_record = Table(
    "call_record",
    metadata,
    Column("call_id", CALL_ID, primary_key=True),
    Column("account_id", ID, ForeignKey("account.id")),
    Column("session_id", String(36), ForeignKey("masking_session.id")),
    Column("virtual_number_id", ID, ForeignKey("virtual_number.id"), nullable=False),
    Column("caller_ref", REF),
    Column("callee_ref", REF),
    Column("role", String(8)),
    Column("is_callee_dialled", Boolean, nullable=False),
    Column("started_at", INSTANT, nullable=False),
    Column("ringing_at", INSTANT),
    Column("answered_at", INSTANT),
    Column("callee_answered_at", INSTANT),
    Column("bridged_at", INSTANT),
    Column("ended_at", INSTANT, nullable=False),
    Column("result", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("q850", Integer),
    Column("sip_status", Integer),
    Column("is_service_initiated", Boolean, nullable=False, server_default=false()),
    Column("leg_a_id", String(36)),  # as leg A is reported; leg B's differs in its last digit
    CheckConstraint("ended_at >= started_at", name="interval"),
    Index("ix_call_record_leg_a_id", "leg_a_id"),
    Index("ix_call_record_account_id_started_at", "account_id", "started_at"),
    Index("ix_call_record_session_id", "session_id"),
)

refused_call_count = Table(
    "refused_call_count",
    metadata,
    Column("virtual_number_id", ID, ForeignKey("virtual_number.id"), nullable=False),
    Column("minute_at", INSTANT, nullable=False),
    Column("call_count", Integer, nullable=False),
    PrimaryKeyConstraint("virtual_number_id", "minute_at"),
)

interaction = Table(
    "interaction",
    metadata,
    Column("id", ID, primary_key=True),
    Column("session_id", String(36), ForeignKey("masking_session.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("call_id", CALL_ID, nullable=False, unique=True),
    Column("caller_role", String(8), nullable=False),
    Column("started_at", INSTANT, nullable=False),
    Column("ended_at", INSTANT, nullable=False),
    Column("leg_count", Integer, nullable=False),
    Column("caller_leg_s", Integer),  # NULL: the leg was not answered
    Column("callee_leg_s", Integer),
    CheckConstraint("ended_at >= started_at", name="interval"),
    Index("ix_interaction_session_id", "session_id", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("account.id"), nullable=False),
    Column("session_id", String(36), ForeignKey("masking_session.id"), nullable=False),
    Column("call_id", CALL_ID),
    Column("kind", String(32), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("occurred_at", INSTANT, nullable=False),
    Column("facts", Text, nullable=False),  # JSON object; parties by reference only
    Column("published_at", INSTANT),  # when the worker made deliveries of it
    Column("position", INSTANT),  # its place among all published: rows become visible in its order
    UniqueConstraint("session_id", "sequence"),
    Index("ix_outbox_account_id_position", "account_id", "position"),
)
index_while("ix_outbox_unpublished", "published_at IS NULL", outbox.c.id)
index_while("ix_outbox_published", "published_at IS NOT NULL", outbox.c.published_at)

__all__ = [
    "account",
    "binding",
    "call_record",
    "interaction",
    "live_call",
    "masking_session",
    "meta",
    "metadata",
    "number_lease",
    "outbox",
    "party",
    "pool",
    "refused_call_count",
    "subaccount",
    "trunk",
    "virtual_number",
]
