import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.api.plivo.shelf import AUDIO, SECOND, SERIAL, Shelf
from tests.api.service import Answer, Service, basic

from maskline.clock import to_datetime
from maskline.core.call_record import Side, leg_id
from maskline.core.inventory import NewNumbers, Subaccount
from maskline.core.masking import RecordFormat
from maskline.core.numbers import DID
from maskline.core.recording import render_recording_uuid
from maskline.recordings.links import build_linked_path
from maskline.store import recordings as rows
from maskline.workflows import recordings as work
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.numbers import add_numbers


def subaccount_of(shelf: Shelf) -> tuple[Subaccount, dict[str, str]]:
    service, account = shelf.service, shelf.tenant.account
    made = service.run(create_subaccount, account, f"branch {next(SERIAL)}", service.clock.now())
    assert isinstance(made, Subaccount)
    return made, basic(made.auth_id, made.token.reveal())


@pytest.mark.parametrize("format_", RecordFormat)
def test_audio_is_sent_whole(shelf: Shelf, format_: RecordFormat) -> None:
    """With its kind, and never to be kept by anybody between."""
    id_ = render_recording_uuid(shelf.record(format_))
    answer = shelf.get(f"{id_}.{format_.value}")
    assert (answer.status, answer.text) == (200, AUDIO)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert headers["content-type"] == ("audio/mpeg" if format_ is RecordFormat.MP3 else "audio/wav")
    assert headers["content-length"] == str(len(AUDIO))
    assert headers["cache-control"] == "private, no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"] == f'inline; filename="{id_}.{format_.value}"'


def test_head_has_the_headers_only(shelf: Shelf) -> None:
    """Players ask how long the file is before they ask for it."""
    name = f"{shelf.record()}.mp3"
    whole, head = shelf.get(name), shelf.get(name, "HEAD")
    assert (head.status, head.text) == (200, b"")
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
    part = shelf.get(name, "HEAD", Range="bytes=5-9")
    assert (part.status, part.headers["content-length"]) == (206, "5")


RANGES = st.one_of(
    st.tuples(st.integers(0, len(AUDIO) + 10), st.integers(0, len(AUDIO) + 10)).map(
        lambda ends: f"{min(ends)}-{max(ends)}"
    ),
    st.integers(0, len(AUDIO) + 10).map(lambda first: f"{first}-"),
    st.integers(0, len(AUDIO) + 10).map(lambda size: f"-{size}"),
)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_parts_are_slices(service: Service, data: st.DataObject) -> None:
    """Whatever single range is asked for, what comes is that slice of the file."""
    shelf = _shelf_of(service)
    text = data.draw(RANGES)
    answer = shelf.get(f"{shelf.ids[0]}.mp3", Range=f"bytes={text}")
    first, _, last = text.partition("-")
    start = int(first) if first else max(len(AUDIO) - int(last), 0)
    expected = AUDIO[start : int(last) + 1 if first and last else None]
    if not expected:
        assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(AUDIO)}")
        return
    assert (answer.status, answer.text) == (206, expected)
    end = start + len(expected) - 1
    assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(AUDIO)}"


_shelves: dict[int, Shelf] = {}


def _shelf_of(service: Service) -> Shelf:
    """One recording for all examples of a property."""
    if id(service) not in _shelves:
        shelf = _shelves[id(service)] = Shelf(service.new_account())
        shelf.record()
    return _shelves[id(service)]


def test_range_of_another_version_gets_the_whole(shelf: Shelf) -> None:
    """If-Range names the file that the client has a part of."""
    name = f"{shelf.record()}.mp3"
    etag = shelf.get(name, "HEAD").headers["etag"]
    assert shelf.get(name, Range="bytes=0-1", **{"If-Range": etag}).status == 206
    assert shelf.get(name, Range="bytes=0-1", **{"If-Range": '"x"'}).status == 200


def test_object_has_the_vendors_fields(shelf: Shelf) -> None:
    """Names and types are those the official clients read."""
    id_ = shelf.record(RecordFormat.WAV)
    uuid = render_recording_uuid(id_)
    body = shelf.get(f"{uuid}/").body
    path = f"/v1/Account/{shelf.tenant.auth_id}/Recording/{uuid}"
    started_ms = shelf.service.clock.now() // 1000
    recording = shelf.service.run(rows.load_recording, id_)
    assert recording is not None
    assert body.pop("api_id")
    assert body == {
        "add_time": f"{to_datetime(shelf.service.clock.now() + 11 * SECOND):%Y-%m-%d %H:%M:%S.%f}+00:00",
        "call_uuid": leg_id(recording.call_id, Side.A),
        "conference_name": None,
        "from_number": "",
        "monthly_recording_storage_amount": 0,
        "recording_duration_ms": "10000.00000",
        "recording_end_ms": f"{started_ms + 10_000}.00000",
        "recording_format": "wav",
        "recording_id": uuid,
        "recording_start_ms": f"{started_ms}.00000",
        "recording_storage_duration": 1,
        "recording_storage_rate": 0,
        "recording_type": "normal",
        "recording_url": f"http://maskline.test{path}.wav",
        "resource_uri": f"{path}/",
        "rounded_recording_duration": 60,
        "to_number": "",
    }


def test_deleted_recording_is_gone(shelf: Shelf) -> None:
    """204 once, 404 afterwards, audio and object alike."""
    id_ = shelf.record()
    answer = shelf.get(f"{id_}/", "DELETE")
    assert (answer.status, answer.text) == (204, b"")
    for path, method in ((f"{id_}/", "DELETE"), (f"{id_}/", "GET"), (f"{id_}.mp3", "GET")):
        assert shelf.get(path, method).status == 404


def test_list_has_pages_and_filters(shelf: Shelf) -> None:
    """Newest first, linked pages, narrowed by call and time; both spellings of comparisons."""
    ids = []
    for _ in range(3):
        ids.append(render_recording_uuid(shelf.record()))
        shelf.service.manual_clock.advance(s=60)
    page = shelf.get("?limit=2").body
    assert [it["recording_id"] for it in page["objects"]] == ids[:0:-1]
    assert page["meta"]["total_count"] == 3
    following = shelf.service.request("GET", page["meta"]["next"], headers=shelf.tenant.authorization).body
    assert [it["recording_id"] for it in following["objects"]] == ids[:1]
    middle = page["objects"][1]
    newest, at = page["objects"][0]["add_time"][:19], middle["add_time"][:19]
    for query in (
        f"?call_uuid={middle['call_uuid']}",
        f"?add_time={at}",
        f"?add_time__gte={at}&add_time_lt={newest}",
    ):
        assert [it["recording_id"] for it in shelf.get(query.replace(" ", "+")).body["objects"]] == [ids[1]]


@pytest.mark.parametrize(
    "query", ["limit=x", "offset=-1", "add_time=yesterday", "subaccount=SA1", "call_uuid=%00"]
)
def test_list_refuses_what_it_cannot_read(shelf: Shelf, query: str) -> None:
    """400 with the dialect's body."""
    answer = shelf.get(f"?{query}")
    assert answer.status == 400
    assert set(answer.body) == {"api_id", "error"}


def test_nobody_elses_recording(shelf: Shelf) -> None:
    """Another account's recording is answered like one that never was, to the byte but for the request's own id."""
    id_ = shelf.record()
    stranger = Shelf(shelf.service.new_account())
    missing = "f" * 32
    for suffix, method in (("/", "GET"), ("/", "DELETE"), (".mp3", "GET"), (".mp3", "HEAD"), (".wav", "GET")):
        foreign, none = stranger.get(id_ + suffix, method), stranger.get(missing + suffix, method)
        assert foreign.status == none.status == 404
        assert _comparable(foreign) == _comparable(none)
    assert shelf.get(f"{id_}/").status == 200


def _comparable(answer: Answer) -> tuple[Any, ...]:
    headers = sorted((name, value) for name, value in answer.headers.items() if name != "date")
    return (answer.status, headers, answer.body | {"api_id": ""} if answer.text else b"")


def test_nothing_without_credentials(shelf: Shelf) -> None:
    """No account, a wrong token, another account's path, and a sub-account's credentials: 401 each."""
    id_ = shelf.record()
    stranger = shelf.service.new_account()
    _, sub = subaccount_of(shelf)
    for path in (f"{id_}.mp3", f"{id_}/", ""):
        target = f"{shelf.tenant.path}/Recording/{path}"
        for headers in ({}, basic(shelf.tenant.auth_id, "wrong"), stranger.authorization, sub):
            answer = shelf.service.request("GET", target, headers=headers)
            assert answer.status == 401
            assert "WWW-Authenticate" in answer.headers or "www-authenticate" in answer.headers


def test_subaccount_hears_its_own(shelf: Shelf) -> None:
    """Its own sessions' recordings under its own path, and no others."""
    sub, authorization = subaccount_of(shelf)
    service = shelf.service
    other = shelf.record()
    new = NewNumbers(
        numbers=(DID(f"+91226980{next(SERIAL):05d}"),),
        account_id=shelf.tenant.account.id,
        trunk_id=service.trunk.id,
        subaccount_id=sub.id,
    )
    service.run(add_numbers, new, service.clock.now())
    own = shelf.record(subaccount=sub.auth_id)
    path = f"/v1/Account/{sub.auth_id}/Recording"
    assert service.request("GET", f"{path}/{own}.mp3", headers=authorization).text == AUDIO
    assert service.request("GET", f"{path}/{other}.mp3", headers=authorization).status == 404
    listed = service.request("GET", f"{path}/", headers=authorization).body
    assert [it["recording_id"] for it in listed["objects"]] == [render_recording_uuid(own)]
    narrowed = shelf.get(f"?subaccount={sub.auth_id}").body
    assert [it["recording_id"] for it in narrowed["objects"]] == [render_recording_uuid(own)]


def linked(shelf: Shelf, id_: str, seconds: int = 60, auth_id: str | None = None) -> str:
    expires_s = shelf.service.clock.now() // SECOND + seconds
    return build_linked_path(
        shelf.service.run(
            work.sign_recording_link, auth_id or shelf.tenant.auth_id, id_, RecordFormat.MP3, expires_s
        )
    )


def test_signed_link_works_until_its_time(shelf: Shelf) -> None:
    """Without credentials, ranges and all, to the second."""
    id_ = shelf.record()
    path = linked(shelf, id_, 60)
    assert shelf.service.request("GET", path).text == AUDIO
    assert shelf.service.request("GET", path, headers={"Range": "bytes=0-3"}).text == AUDIO[:4]
    shelf.service.manual_clock.advance(s=59)
    assert shelf.service.request("GET", path).status == 200
    shelf.service.manual_clock.advance(s=1)
    assert shelf.service.request("GET", path).status == 401


def test_signed_link_is_for_one_file(shelf: Shelf) -> None:
    """Any change of account, recording, format, time or signature makes it nobody's."""
    id_, other = shelf.record(), shelf.record()
    path = linked(shelf, id_)
    stranger = shelf.service.new_account()
    uuid, other_uuid = render_recording_uuid(id_), render_recording_uuid(other)
    for changed in (
        path.replace(uuid, other_uuid),
        path.replace(".mp3", ".wav"),
        path.replace("expires=", "expires=9"),
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        path.replace(shelf.tenant.auth_id, stranger.auth_id),
        path.partition("&signature=")[0] + "&signature=",
        path.partition("?")[0] + "?signature=" + "0" * 64,
        path.replace("expires=", "expires=%C3%A9"),
    ):
        assert shelf.service.request("GET", changed).status == 401, changed
    assert shelf.service.request("DELETE", path).status in (401, 404)
    assert shelf.get(f"{id_}/").status == 200


def test_signed_link_of_a_stranger_gives_nothing(shelf: Shelf) -> None:
    """A link signed for another account's path finds none of this one's recordings."""
    id_ = shelf.record()
    stranger = shelf.service.new_account()
    assert shelf.service.request("GET", linked(shelf, id_, auth_id=stranger.auth_id)).status == 404
    shelf.get(f"{id_}/", "DELETE")
    assert shelf.service.request("GET", linked(shelf, id_)).status == 404


def test_audio_that_is_lost_is_our_fault(shelf: Shelf) -> None:
    """A file that the storage has no more: 500, said before anything is sent."""
    id_ = shelf.record()
    recording = shelf.service.run(rows.load_recording, id_)
    assert recording is not None
    assert shelf.service.recordings is not None
    asyncio.run(shelf.service.recordings.delete(recording.storage_key))
    assert shelf.get(f"{id_}.mp3").status == 500


@pytest.mark.parametrize("path", ["nothing/", "nothing.mp3", ".mp3", "x.y.mp3", "%2e%2e", f"{'a' * 32}.exe"])
def test_what_is_no_recording(shelf: Shelf, path: str) -> None:
    """Names that are no ids, and files of other kinds."""
    assert shelf.get(path).status == 404


def test_other_methods_are_refused(shelf: Shelf) -> None:
    """405, with those that are served."""
    answer = shelf.get(f"{shelf.record()}/", "POST")
    assert answer.status == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD"
