"""A call that is heard: sipp's signalling at both ends of a stage, and a voice beside each."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.interop.ground import Ground
from tests.interop.listener import render_request
from tests.interop.sipp import Sipp
from tests.interop.stage import Stage
from tests.interop.voice import Voice
from tests.interop.waiting import wait_for
from tests.interop.wire import SIPText

PORT_A, PORT_B = 31_840, 52_906  # as sdp_a.txt and sdp_b.txt have it
TONE_A_HZ, TONE_B_HZ = 1000, 1800  # neither a harmonic of the other, nor of any prompt in the tests
STEP_TIMEOUT_S: Final = 8.0
IN_PCMU: Final = {"payload_type_b": "0", "codec_b": "PCMU/8000"}
"""For a callee whose caller was answered before it: all then speak what every carrier does."""


class CallTimes(NamedTuple):
    """When a call's steps were, in seconds since 1970, as its record has them; 0 for those that never were."""

    started_at: float
    answered_at: float
    callee_answered_at: float
    bridged_at: float
    ended_at: float


@dataclass(slots=True)
class Talk:
    """One call. Nothing of it has happened but the INVITE."""

    stage: Stage
    uac: Sipp
    a: Voice
    b: Voice
    uas: Sipp | None = None
    payload_type_b: int = 8

    def wait_for_caller(self) -> None:
        """Wait until A is answered; from then on it speaks."""
        (answer, *_) = wait_for(
            lambda: self.uac.received(method="INVITE", status=200), STEP_TIMEOUT_S, "the caller is answered"
        )
        self.a.join(answer)

    def wait_for_callee(self) -> SIPText:
        """Wait until B is called; from then on it speaks, whoever wants to hear it."""
        assert self.uas is not None
        uas = self.uas
        (invite, *_) = wait_for(lambda: uas.received(method="INVITE"), STEP_TIMEOUT_S, "the callee is called")
        self.b.join(invite, self.payload_type_b)
        return invite

    def wait_until_joined(self) -> None:
        """Wait until each hears the other."""
        self.a.wait_until_hears(self.b.tone_hz)
        self.b.wait_until_hears(self.a.tone_hz)

    def hang_up(self) -> None:
        """Have B hang up, and wait for the end of both legs and for the record."""
        assert self.uas is not None
        ground, number = self.stage.ground, self.stage.carrier.virtual
        before = len(ground.records(number))
        tell_to_hang_up(self.uas, 0)
        self.uac.wait()
        self.uas.wait()
        ground.wait_for_records(number, before + 1)

    def told_callee(self) -> bytes:
        """Every byte of signalling that the callee was sent."""
        assert self.uas is not None
        return b"".join(text.raw for text in self.uas.received())

    def check_masked(self) -> None:
        """Neither was sent anything of the other."""
        assert self.uas is not None
        self.stage.check_masked(self.uac, self.uas)


def begin_talk(
    stage: Stage,
    voices: tuple[Voice, Voice],
    *,
    uac: str = "uac_is_hung_up",
    uas: str | None = "uas_hangs_up_when_told",
    caller: str = "",
    values: Mapping[str, str] = IN_PCMU,
) -> Talk:
    """Have the stage's caller dial. `uas` None: nobody may be called."""
    callee = None if uas is None else stage.uas(uas, values=values)
    dialling = stage.uac(uac, caller=caller, values=values)
    payload_type_b = int(values.get("payload_type_b", "8"))
    return Talk(stage, dialling, voices[0], voices[1], callee, payload_type_b)


def tell_to_hang_up(uas: Sipp, index: int) -> None:
    """Let a `uas_hangs_up_when_told` go on, by a message of its call that never came from the switch."""
    invites = {text.header("Call-ID"): text for text in uas.received(method="INVITE")}
    call_id = tuple(invites)[index]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((uas.local[0], 0))
        told = render_request("NOTIFY", sock.getsockname(), uas.local, call_id=call_id)
        sock.sendto(told, uas.local)


def read_times(ground: Ground, number: str) -> list[CallTimes]:
    """The times of every stored call on a virtual number, oldest first."""
    rows = ground.query(
        "SELECT r.started_at, r.answered_at, r.callee_answered_at, r.bridged_at, r.ended_at FROM call_record r"
        f" JOIN virtual_number n ON n.id = r.virtual_number_id WHERE n.number = '{number}' ORDER BY r.started_at"
    )
    return [CallTimes(*(float(str(at or 0)) / 1e6 for at in row)) for row in rows]


def read_events(ground: Ground, session_id: str) -> list[tuple[str, dict[str, object]]]:
    """Kind and facts of what was told of a session, in order."""
    rows = ground.query(f"SELECT kind, facts FROM outbox WHERE session_id = '{session_id}' ORDER BY sequence")
    return [(str(kind), json.loads(str(facts))) for kind, facts in rows]
