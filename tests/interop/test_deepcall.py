"""Masks set by clients of the DeepCall dialect, real calls under them, and the reports their panel would get."""

import base64
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from standardwebhooks import Webhook

from maskline.core.deepcall import DeepCallCredentials
from maskline.webhooks.handshake import WORD
from maskline.workflows.deepcall_credentials import issue_ssid
from tests.interop.client import TIMEOUT_S, Client
from tests.interop.ground import HTTP_PORT, Ground, loopback_block, now_us
from tests.interop.stage import Stage
from tests.interop.talk import (
    PORT_A,
    PORT_B,
    TONE_A_HZ,
    TONE_B_HZ,
    CallTimes,
    begin_talk,
    read_times,
    tell_to_hang_up,
)
from tests.interop.test_service_initiated import (
    NOBODY,
    answering,  # noqa: F401  # a fixture
    check_apart,
    wait_for_invite,
)
from tests.interop.voice import Voice, voice
from tests.interop.waiting import wait_for
from tests.interop.web import Visit, Web, serve_web
from tests.peers import need

pytestmark = pytest.mark.sipp

Voices = tuple[Voice, Voice]
DAY_US = 86_400_000_000
REPORT_S = 10.0  # with the conversion of a recording
_serial = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A customer of the dialect: its credentials, and the receiver of its reports."""

    client: Client
    web: Web
    name: str
    secret: str
    credentials: DeepCallCredentials

    @property
    def _base(self) -> str:
        return f"http://{self.client.ground.address[0]}:{HTTP_PORT}"

    def post(self, path: str, **fields: object) -> dict[str, Any]:
        """POST with the user's credentials; return the body of a success."""
        user = self.credentials.user
        given = {"userId": user.user_id, "token": user.token.reveal(), **fields}
        return self._send(urllib.request.Request(self._base + path, json.dumps(given).encode()))

    def click(self, path: str, **fields: str) -> dict[str, Any]:
        """GET with everything in the query, as the oldest clients do."""
        user = self.credentials.user
        query = urllib.parse.urlencode({"user_id": user.user_id, "token": user.token.reveal(), **fields})
        return self._send(urllib.request.Request(f"{self._base}{path}?{query}"))

    def _send(self, request: urllib.request.Request) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT_S) as response:
            found: dict[str, Any] = json.load(response)
        assert found["status"] == "success", found
        return found

    def set(self, **fields: object) -> dict[str, Any]:
        """Mask the carrier's two subscribers."""
        carrier = self.client.carrier
        return self.post("/api/v2/Masking/set", m1=carrier.a.number[1:], m2=carrier.b.number[1:], **fields)

    def reports(self) -> list[Visit]:
        """What was posted there since it was set up, with signatures that hold."""
        return [visit for visit in self.web.visits_to(self.name) if visit.body not in {"", "{}"}]

    def wait_for_reports(self, wanted: int) -> list[dict[str, Any]]:
        """Wait until so many calls are reported; return the reports, each checked to be signed."""
        visits = wait_for(
            lambda: found if len(found := self.reports()) >= wanted else None, REPORT_S, f"{wanted} reports"
        )
        for visit in visits:
            headers = {name.lower(): value for name, value in visit.headers.items()}
            Webhook(self.secret).verify(visit.body, headers)
        return [json.loads(visit.body) for visit in visits]


@pytest.fixture
def panel(stage: Stage, web: Web) -> Panel:
    """A customer whose receiver has said the word and is told of calls."""
    return open_panel(stage, web)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[tuple[Stage, Panel]]:
    """A customer of a service of its own, which records calls under masks as wav."""
    need("sipp")
    with loopback_block() as block, serve_web(f"{block}.0.30") as web:
        settings = {"DEEPCALL_RECORD": "wav", "OUTBOUND_ALLOWED_NETWORKS": f"{block}.0.0/16"}
        ground = Ground(block, tmp_path / "recorded", settings=settings)
        stage = Stage(ground, ground.add_carriers(1)[0], tmp_path)
        ground.start()
        try:
            yield stage, open_panel(stage, web)
        finally:
            stage.close()
            ground.stop()
            ground.store.close()
    assert ground.told_in_logs() == []
    assert ground.errors_in_logs() == []


def open_panel(stage: Stage, web: Web) -> Panel:
    """Make a customer of the stage's carrier, and the receiver of its reports."""
    now = now_us()
    account = stage.carrier.account
    credentials = stage.ground.store.run(
        issue_ssid, account, expires_at=now + DAY_US, can_change=True, old_until=None, now=now
    )
    assert isinstance(credentials, DeepCallCredentials)
    name = f"panel{next(_serial)}"
    web.files[f"/{name}"] = WORD.encode()
    basic = base64.b64encode(f"{account.auth_id}:{account.token.reveal()}".encode()).decode()
    request = urllib.request.Request(
        f"http://{stage.ground.address[0]}:{HTTP_PORT}/maskline/v1/webhooks",
        json.dumps({"url": f"{web.base}/{name}", "format": "deepcall"}).encode(),
        {"Authorization": f"Basic {basic}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_S) as response:
        made = json.load(response)
    assert [visit.body for visit in web.visits_to(name)] == ["{}"], "the service asked before it made it"
    return Panel(
        client=Client(stage.ground, stage.carrier),
        web=web,
        name=name,
        secret=made["secret"],
        credentials=credentials,
    )


def in_india(at_s: float) -> str:
    """An instant as a report tells it."""
    return f"{datetime.fromtimestamp(int(at_s), ZoneInfo('Asia/Kolkata')):%Y-%m-%d %H:%M:%S}"


def check_times(report: dict[str, Any], times: CallTimes) -> None:
    """A report has the call's own times."""
    assert report["ivrSTime"] == in_india(times.started_at)
    assert report["ivrETime"] == in_india(times.ended_at)
    assert report["custAnswerSTime"] == in_india(times.answered_at)
    assert 0 <= report["talkDuration"] - (times.ended_at - times.bridged_at) < 1.0
    assert 0 <= report["ivrDuration"] - (times.ended_at - times.started_at) < 1.0


def hold_talk(stage: Stage, voices: Voices) -> None:
    """Let the stage's caller call, both talk, and the callee hang up; masked."""
    talk = begin_talk(stage, voices)
    talk.wait_for_callee()
    talk.wait_for_caller()
    talk.wait_until_joined()
    talk.hang_up()
    talk.check_masked()


def test_masked_calls_of_both_directions_are_reported(stage: Stage, panel: Panel, voices: Voices) -> None:
    """A mask that a client sets joins its two people whoever calls, and each call is reported once."""
    set_ = panel.set(eventId="order-7", expiry_duration=60)
    assert set_["mask"] == stage.carrier.virtual[1:]
    hold_talk(stage, voices)
    stage.is_swapped = True
    hold_talk(stage, voices)
    reports = panel.wait_for_reports(2)
    m1, m2 = stage.carrier.a.number[1:], stage.carrier.b.number[1:]
    times = read_times(stage.ground, stage.carrier.virtual)
    for report, caller, callee, own in zip(reports, (m1, m2), (m2, m1), times, strict=True):
        check_times(report, own)
        assert (report["cType"], report["callStatus"], report["eventId"]) == ("MASK", 3, "order-7")
        assert (report["m1"], report["m2"], report["mask"]) == (m1, m2, set_["mask"])
        assert (report["cNumber"], report["masterNumCTC"]) == (caller, callee)
        assert report["HangupBySourceDetected"] == ("m2" if callee == m2 else "m1")
        assert [leg["number"] for leg in report["nHDetail"]] == [caller, callee]
        assert report["userId"] == panel.credentials.user.user_id
        assert report["recordings"] == []
    assert len({report["callId"] for report in reports}) == 2


def test_recorded_call_is_reported_with_its_file(recorded: tuple[Stage, Panel]) -> None:
    """Where masks are set to be recorded the report waits for the recording, whose URL is whole and leads to it."""
    stage, panel = recorded
    panel.set()
    with (
        voice((stage.caller.hosts[1], PORT_A), TONE_A_HZ) as caller,
        voice((stage.callee.hosts[1], PORT_B), TONE_B_HZ) as callee,
    ):
        hold_talk(stage, (caller, callee))
    (report,) = panel.wait_for_reports(1)
    (file,) = report["recordings"]
    assert {leg["recordingUrl"] for leg in report["nHDetail"]} == {file["file"]}
    base, _, path = file["file"].partition(f"/v1/Account/{stage.carrier.account.auth_id}/")
    assert base.startswith("http")
    assert panel.client.request("GET", path).body[:4] == b"RIFF"
    assert len(panel.reports()) == 1, "its end alone was not told"


def test_click_to_call_joins_two_phones(
    stage: Stage,
    panel: Panel,
    answering: Voices,  # noqa: F811  # the fixture
) -> None:
    """`from` is called first, then `to`, both see the virtual number, and answer and report have one call id."""
    uas = stage.uas("uas_both_answer", calls=2, mine=NOBODY)
    carrier = stage.carrier
    told = panel.click("/clickToCall/v1/para", **{"from": carrier.a.number[1:], "to": carrier.b.number[1:]})
    assert told["mask"] == carrier.virtual[1:]
    invites = []
    for index, (talking, party) in enumerate(zip(answering, (carrier.a, carrier.b), strict=True)):
        invite = wait_for_invite(uas, index)
        talking.join(invite, 0)
        assert invite.start_line.startswith(f"INVITE sip:{party.number}@")
        for name in ("From", "P-Asserted-Identity"):
            assert f"sip:{carrier.virtual}@" in invite.header(name)
        invites.append(invite)
    answering[0].wait_until_hears(TONE_B_HZ)
    answering[1].wait_until_hears(TONE_A_HZ)
    tell_to_hang_up(uas, 1)
    uas.wait()
    check_apart(stage, uas, invites)
    (report,) = panel.wait_for_reports(1)
    assert (report["callId"], report["cType"]) == (told["callId"], "CTC")
    assert (report["masterNumCTC"], report["cNumber"]) == (carrier.a.number[1:], carrier.b.number[1:])
    assert report["api_para"]["from"] == carrier.a.number[1:]
    assert report["talkDuration"] >= 1
