"""Lists of masks and their calls, on both databases."""

import uuid
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import pytest
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant, Services, give_credentials
from tests.api.service import Service, Tenant
from tests.world import SECOND, World, person

from maskline.core.inventory import NewAccount
from maskline.core.masking import MaskingSession, RecordFormat
from maskline.core.numbers import DID
from maskline.core.recording import ConvertedRecording, NewRecording
from maskline.store import recordings as rows
from maskline.testing.captures import PCMU, note
from maskline.workflows import recordings as work
from maskline.workflows.finish_call import finish_call

SERIAL = count(1)
INDIA = timezone(timedelta(hours=5, minutes=30))


def in_india(instant: int) -> str:
    """What a clock on a wall there shows."""
    return f"{datetime.fromtimestamp(instant // SECOND, INDIA):%Y-%m-%d %H:%M:%S}"


class Caller:
    """An account whose parties call each other."""

    def __init__(self, service: Service) -> None:
        serial = next(SERIAL)
        self.world = World(service.store, number_count=0, account=NewAccount(name=f"callers {serial}"))
        self.world.now = service.clock.now()
        self.number = DID(f"+9133{serial:08d}")
        self.world.add_numbers(self.number)
        self.deepcall = give_credentials(Tenant(service, self.world.account, (self.number,)))
        self.session: MaskingSession = self.world.create(1, 2, is_pair_ordered=False)

    def call(self, **changed: Any) -> str:
        """A finished call; return its id."""
        call_id = str(uuid.uuid4())  # the database is shared with tests of other dialects
        self.world.claim(self.session, call_id)
        record = self.world.record(self.session, call_id, **changed)
        self.world.store.run(finish_call, record, self.world.now)
        return call_id

    def record(self) -> str:
        """A call that was recorded; return the recording's id."""
        call_id = str(uuid.uuid4())  # the database is shared with tests of other dialects
        self.world.claim(self.session, call_id)
        now, id_ = self.world.now, uuid.uuid4().hex
        new = NewRecording(
            id=id_,
            account_id=self.world.account.id,
            session_id=self.session.id,
            call_id=call_id,
            format=RecordFormat.WAV,
            legs=note(0, PCMU).legs,
            started_at=now,
        )
        run = self.world.store.run
        assert run(work.start_recording, new, now)
        run(finish_call, self.world.record(self.session, call_id), now)
        assert run(rows.mark_captured, id_, now + 10 * SECOND)
        converted = ConvertedRecording(
            recording_id=id_, ended_at=now + 10 * SECOND, duration_ms=10_000, size_bytes=1
        )
        assert run(work.complete_recording, converted, now)
        return id_

    def listed(self) -> Any:
        """The calls of the only mask."""
        [mask] = self.deepcall.call("callreport/masklist").body["data"]["masks"]
        return mask["calls"]


def masks_of(deepcall: DeepCallTenant, **fields: object) -> list[Any]:
    body = deepcall.call("callreport/masklist", **fields).body
    assert body["status"] == "success", body
    masks: list[Any] = body["data"]["masks"]
    assert body["data"]["total"] >= len(masks)
    return masks


def test_a_list_of_nothing(deepcall: DeepCallTenant) -> None:
    """Byte for byte."""
    assert deepcall.call("callreport/masklist").text == (
        b'{"status":"success","message":"Mask list","code":200,'
        b'"data":{"total":0,"page":1,"limit":20,"masks":[]}}'
    )


def test_a_mask_is_listed_as_it_was_told(deepcall: DeepCallTenant) -> None:
    """With when it was made, how it stands, and its calls."""
    told = deepcall.set(eventId=7)["data"]
    [mask] = masks_of(deepcall)
    assert list(mask) == [
        "mask",
        "m1",
        "m2",
        "eventId",
        "expiry_time",
        "created_time",
        "status",
        "calls",
    ]
    created = in_india(deepcall.service.clock.now())
    assert mask == {**told, "created_time": created, "status": "active", "calls": []}
    deepcall.call("Masking/unset", m1=M1)
    [mask] = masks_of(deepcall)
    assert (mask["status"], mask["expiry_time"]) == ("expired", created)


def test_masks_come_newest_first_and_in_pages(services: Services) -> None:
    """Twenty at most; pages count from one."""
    deepcall = services.tenant()
    clock = deepcall.service.manual_clock
    for index in range(5):
        deepcall.set(m2=int(M2) + index)
        clock.advance(s=1)
    everything = [mask["m2"] for mask in masks_of(deepcall)]
    assert everything == [f"91{int(M2) + index}" for index in reversed(range(5))]
    paged = [mask["m2"] for page in (1, 2, 3) for mask in masks_of(deepcall, page=page, limit="2")]
    assert paged == everything
    assert masks_of(deepcall, page=4, limit=2) == []
    data = deepcall.call("callreport/masklist", page="2", limit=2).body["data"]
    assert (data["total"], data["page"], data["limit"]) == (5, 2, 2)


def test_filters_of_masks(services: Services) -> None:
    """Each alone, and together."""
    deepcall = services.tenant()
    clock = deepcall.service.manual_clock
    start = clock.now()
    for index in range(4):
        deepcall.set(m2=int(M2) + index, eventId=f"e{index}", expiry_duration=index + 1)
        clock.advance(s=30)
    first = masks_of(deepcall, eventId="e0")[0]

    def found(**fields: object) -> list[str]:
        return [mask["eventId"] for mask in masks_of(deepcall, **fields)]

    assert found(m2=M2) == found(m2=f"+91{M2}") == ["e0"]
    assert found(m1=f"0{M1}") == ["e3", "e2", "e1", "e0"]
    assert found(m1=M2) == []
    assert found(mask=first["mask"]) == found(mask=first["mask"][2:]) == ["e2", "e0"]
    assert found(event_id="e2") == ["e2"]
    assert found(status="Expired") == ["e0"]
    assert found(status="active", m1=M1) == ["e3", "e2", "e1"]
    assert found(start_time=first["created_time"]) == ["e3", "e2", "e1", "e0"]
    assert found(startTime=start // SECOND + 30, end_time=start // SECOND + 90) == ["e2", "e1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"page": 0},
        {"page": "x"},
        {"page": 10**9},
        {"limit": 0},
        {"limit": 21},
        {"limit": True},
        {"status": "gone"},
        {"status": []},
        {"start_time": "yesterday"},
        {"end_time": {}},
        {"m1": "x"},
        {"mask": "x"},
        {"eventId": []},
    ],
)
def test_filters_that_mean_nothing_are_1000(deepcall: DeepCallTenant, wrong: dict[str, object]) -> None:
    """And none is passed over in silence."""
    body = deepcall.call("callreport/masklist", **wrong).body
    assert (body["status"], body["code"]) == ("error", 1000)


def test_a_call_of_both(service: Service) -> None:
    """Its fields are named as in push reports, its times are the account's."""
    caller = Caller(service)
    call_id = caller.call()
    assert caller.listed() == [
        {
            "callId": call_id,
            "cType": "MASK",
            "callStatus": 3,
            "caller": "m1",
            "ivrSTime": in_india(caller.world.now),
            "ivrETime": in_india(caller.world.now + 13 * SECOND),
            "ivrDuration": 13,
            "talkDuration": 10,
            "m1Duration": 10,
            "m2Duration": 10,
            "recordingUrl": "",
        }
    ]


def test_calls_that_somebody_did_not_answer(service: Service) -> None:
    """Nobody talked, though one may have waited long."""
    caller = Caller(service)
    caller.call(answered_at=None, callee_answered_at=None, bridged_at=None)
    caller.call(callee_answered_at=None, bridged_at=None)
    assert [(it["callStatus"], it["talkDuration"]) for it in caller.listed()] == [(1, 0), (2, 0)]


def test_calls_of_the_service(service: Service) -> None:
    """Click to call has a type of its own, as in push reports; who was called first counts as the caller."""
    caller = Caller(service)
    caller.call(is_service_initiated=True)
    [call] = caller.listed()
    assert (call["cType"], call["caller"]) == ("CTC", "m1")


def test_a_recording_has_an_address(service: Service) -> None:
    """Where the account's credentials open it; not before it is complete."""
    caller = Caller(service)
    id_ = caller.record()
    [call] = caller.listed()
    auth_id = caller.world.account.auth_id
    uuid = f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}"
    assert call["recordingUrl"] == f"http://maskline.test/v1/Account/{auth_id}/Recording/{uuid}.wav"
    assert service.run(work.delete_recording, caller.world.account, id_, caller.world.now)
    assert caller.listed()[0]["recordingUrl"] == ""


def test_links_to_recordings_where_they_are_made(services: Services) -> None:
    """With which whoever has the list may hear them."""
    service = services.tenant(recording_links_s=60).service
    caller = Caller(service)
    caller.record()
    url = caller.listed()[0]["recordingUrl"]
    expires_s = caller.world.now // SECOND + 60
    assert f".wav?expires={expires_s}&signature=" in url


def test_people_of_other_accounts_are_not_listed(deepcall: DeepCallTenant) -> None:
    """Nor found by their numbers."""
    deepcall.set()
    other = give_credentials(deepcall.service.new_account())
    assert masks_of(other) == masks_of(other, m1=M1) == []
    assert person(1).reveal()[1:] not in deepcall.call("callreport/masklist").text.decode()


def test_a_person_who_is_not_there_is_empty(deepcall: DeepCallTenant) -> None:
    """Other dialects know sessions of one party."""
    deepcall.tenant.create(second_party=None, create_session_with_single_party=True)
    [mask] = masks_of(deepcall)
    assert (mask["m1"], mask["m2"]) == ("912025550000", "")
