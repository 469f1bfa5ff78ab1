"""What must hold after any episode, whatever happened in it."""

import re
from collections import defaultdict
from itertools import pairwise

from maskline.core.call_record import REFUSED_CALLS_STORED_MAX
from tests.simulation.episode import SWITCH, US_PER_S, Episode
from tests.simulation.exchange import MEDIA_HOST

_NUMBER = re.compile(rb"\+?91\d{10}|\+?9198\d{8}")
_HEADER = {name: re.compile(rb"^" + name + rb": *(.*?)\r$", re.MULTILINE) for name in (b"Call-ID", b"From")}
SECRETS = (b"from +", MEDIA_HOST.encode(), b"o=secret")
TIMER_SLACK_US = 100_000
SLACK_US = 1_100_000
"""A deletion reaches a call in set-up within a second; one that is being joined that moment had looked just before."""


def check(episode: Episode) -> None:
    """Assert every invariant that an episode can break."""
    check_logs(episode)
    check_bindings(episode)
    check_windows(episode)
    check_endings(episode)
    check_relay(episode)
    check_account(episode)
    check_limits(episode)
    check_setups(episode)
    check_told(episode)
    check_secrecy(episode)
    check_legs(episode)
    check_presented(episode)


def check_logs(episode: Episode) -> None:
    """Nothing went wrong that the call machine does not foresee."""
    assert [entry for entry in episode.logs if entry["log_level"] in {"error", "exception"}] == []


def check_bindings(episode: Episode) -> None:
    """I1, I3: no two sessions mean the same for one party on one number at one time, cool-off included."""
    taken: dict[tuple[object, object], list[tuple[int, int]]] = defaultdict(list)
    for number, ref, start_at, free_at in episode.rows(
        "SELECT virtual_number_id, party_ref, start_at, free_at FROM binding"
    ):
        assert isinstance(start_at, int)
        assert isinstance(free_at, int)
        taken[number, ref].append((start_at, free_at))
    for spans in taken.values():
        spans.sort()
        for (_, free_at), (start_at, _) in pairwise(spans):
            # A clock that is set back may place a new session before an older one's end, never while it stands.
            assert free_at <= start_at or episode.jump_us


def check_windows(episode: Episode) -> None:
    """I2, I8: nothing was bridged outside its session's window, though nobody ever swept."""
    for bridged_at, start_at, end_at in episode.rows(
        "SELECT r.bridged_at, s.start_at, s.end_at FROM call_record r JOIN masking_session s ON s.id = r.session_id "
        "WHERE r.bridged_at IS NOT NULL"
    ):
        assert isinstance(bridged_at, int)
        assert isinstance(start_at, int)
        assert isinstance(end_at, int)
        slack_us = SLACK_US if episode.deleted_at else 0
        assert start_at - episode.jump_us <= bridged_at < end_at + slack_us + episode.jump_us


def check_endings(episode: Episode) -> None:
    """I4: every call has one record, nothing is claimed, no leg, relay or transaction is left."""
    node = episode.node
    assert node.switch.calls == {}
    assert node.switch.user_agent.leg_count == 0
    assert node.switch.user_agent.transaction_count == 0
    assert node.relay.sessions == {}
    assert episode.rows("SELECT count(*) FROM live_call") == [(0,)]
    for channel in node.switch.trunks.trunks:
        assert node.switch.trunks.channel_count(channel.id) == 0
    records = episode.rows(
        "SELECT started_at, ringing_at, callee_answered_at, bridged_at, ended_at FROM call_record"
    )
    assert len(records) > episode.call_count / 4
    assert episode.rows("SELECT call_id FROM call_record WHERE reason = 'internal-error'") == []
    for started_at, *steps, ended_at in records:
        instants = [at for at in (started_at, *steps, ended_at) if isinstance(at, int)]
        assert instants == sorted(instants)


def check_relay(episode: Episode) -> None:
    """I2, I5: nobody heard, or was recorded, before the bridge, nor a key of a PIN; what was opened is closed."""
    assert episode.breaches == []
    assert episode.watcher.open_count == 0


def check_account(episode: Episode) -> None:
    """I4: what was begun is in the books once, unless it was one of too many refused ones, which are counted."""
    assert set(episode.accounts.values()) <= {1}
    assert episode.started <= episode.accounts.keys()
    written = {call_id for (call_id,) in episode.rows("SELECT call_id FROM call_record")}
    missing = episode.started - written
    flood = sum(
        count - REFUSED_CALLS_STORED_MAX
        for (count,) in episode.rows("SELECT call_count FROM refused_call_count")
        if isinstance(count, int) and count > REFUSED_CALLS_STORED_MAX
    )
    assert len(missing) <= flood


def check_limits(episode: Episode) -> None:
    """No answered leg outlives its session's limit, and no phone rings longer than it says."""
    if episode.jump_us:
        return
    for answered_at, callee_answered_at, ringing_at, ended_at, limit_s, ring_s in episode.rows(
        "SELECT answered_at, callee_answered_at, ringing_at, r.ended_at, call_time_limit_s, ring_timeout_s "
        "FROM call_record r JOIN masking_session s ON s.id = r.session_id "
        "WHERE reason != 'switch-restarted' AND s.modified_at = s.created_at "
        "AND call_id IN (SELECT call_id FROM interaction)"
    ):
        assert isinstance(ended_at, int)
        assert isinstance(limit_s, int)
        assert isinstance(ring_s, int)
        for at in (answered_at, callee_answered_at):
            assert not isinstance(at, int) or ended_at - at <= limit_s * US_PER_S + TIMER_SLACK_US
        if isinstance(ringing_at, int):
            until = callee_answered_at if isinstance(callee_answered_at, int) else ended_at
            assert until - ringing_at <= ring_s * US_PER_S + TIMER_SLACK_US


def check_setups(episode: Episode) -> None:
    """I2: a call that is not bridged does not outlive its session, however it ended; a deletion takes a second."""
    if episode.jump_us:
        return
    for session_id, ended_at, end_at in episode.rows(
        "SELECT r.session_id, r.ended_at, s.end_at FROM call_record r JOIN masking_session s ON s.id = r.session_id "
        "WHERE r.bridged_at IS NULL AND reason != 'switch-restarted' AND call_id IN (SELECT call_id FROM interaction)"
    ):
        assert isinstance(ended_at, int)
        assert isinstance(end_at, int)
        assert ended_at <= end_at + (SLACK_US if session_id in episode.deleted_at else TIMER_SLACK_US)


def check_told(episode: Episode) -> None:
    """Every answered leg of a call that is told of was told of twice: when it was answered and when it ended."""
    if episode.crash_count:
        return
    kinds: dict[object, list[object]] = defaultdict(list)
    for call_id, kind in episode.rows("SELECT call_id, kind FROM outbox WHERE call_id IS NOT NULL"):
        kinds[call_id].append(kind)
    for call_id, answered_at, callee_answered_at in episode.rows(
        "SELECT call_id, answered_at, callee_answered_at FROM call_record r "
        "JOIN masking_session s ON s.id = r.session_id "
        "WHERE s.callback_url != '' AND s.modified_at = s.created_at AND call_id IN (SELECT call_id FROM interaction)"
    ):
        answered_count = sum(at is not None for at in (answered_at, callee_answered_at))
        assert kinds[call_id].count("call.party_answered") == answered_count
        assert kinds[call_id].count("call.party_hung_up") == answered_count
        assert kinds[call_id].count("call.finished") == 1


def check_secrecy(episode: Episode) -> None:
    """No number of a person is in what is told to others or written to the log, and no PIN."""
    people = [number.lstrip("+") for number in episode.people]
    told = [str(facts) for (facts,) in episode.rows("SELECT facts FROM outbox")]
    for text in (*told, *map(repr, episode.logs)):
        assert not any(number in text for number in people)


def check_legs(episode: Episode) -> None:
    """I5: what is sent on a leg names one person at most, the one it goes to, and nothing else of the other side."""
    named: dict[bytes, set[bytes]] = defaultdict(set)
    ours: dict[bytes, bool] = {}  # Call-ID -> whether we chose it
    people = {number.lstrip("+").encode() for number in episode.people}
    for packet in episode.network.transcript:
        found = _HEADER[b"Call-ID"].search(packet.data)
        if found is None:
            continue
        call_id, is_from_us = found[1], packet.flow.local == SWITCH
        is_ours = ours.setdefault(call_id, is_from_us)
        if not is_from_us:
            continue
        named[call_id] |= {digits.lstrip(b"+") for digits in _NUMBER.findall(packet.data)} & people
        # A response echoes its own peer's From, display name and all; nothing else of a peer is ever repeated.
        secrets = (*SECRETS, b"name of") if is_ours else SECRETS
        assert not any(secret in packet.data for secret in secrets)
    for call_id, numbers in named.items():
        assert len(numbers) <= 1, f"{call_id!r} names {len(numbers)} people"


def check_presented(episode: Episode) -> None:
    """I7: every call we place comes from a virtual number."""
    virtual = {number.encode() for number in episode.virtual_numbers}
    for packet in episode.network.transcript:
        if packet.flow.local == SWITCH and packet.data.startswith(b"INVITE "):
            found = _HEADER[b"From"].search(packet.data)
            assert found is not None
            assert any(number in found[1] for number in virtual)
