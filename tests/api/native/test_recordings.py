from urllib.parse import urlsplit

import pytest
from tests.api.native.tenant_requests import ask, check_problem, new_key
from tests.api.plivo.shelf import AUDIO, Shelf
from tests.api.service import Answer, Service

from maskline.api.native.models.recordings import RecordingView
from maskline.core.access import Permission
from maskline.core.recording import render_recording_uuid


@pytest.fixture
def shelf(service: Service) -> Shelf:
    """A fresh account, and recordings when its test asks for them."""
    return Shelf(service.new_account(number_count=5))


def test_a_recording_is_shown_and_heard(shelf: Shelf) -> None:
    """What is known of it, and its audio, whole and in part."""
    id_, tenant = shelf.record(), shelf.tenant
    body = ask(tenant, "GET", f"/recordings/{id_}").body
    assert RecordingView.model_validate(body).id == id_
    assert (body["duration_ms"], body["size_bytes"], body["format"]) == (10_000, len(AUDIO), "mp3")
    assert body["audio_url"] == f"http://maskline.test/maskline/v1/recordings/{id_}/audio"
    assert ask(tenant, "GET", f"/recordings/{render_recording_uuid(id_)}").body == body
    audio = ask(tenant, "GET", f"/recordings/{id_}/audio")
    assert (audio.status, audio.text, audio.headers["content-type"]) == (200, AUDIO, "audio/mpeg")
    part = ask(tenant, "GET", f"/recordings/{id_}/audio", Range="bytes=5-9")
    assert (part.status, part.text) == (206, AUDIO[5:10])
    assert ask(tenant, "GET", f"/recordings/{id_}/audio", Range="bytes=9999999-").status == 416


def test_recordings_are_filtered_and_paged(shelf: Shelf) -> None:
    """By session, call and time; newest first, each once."""
    tenant, clock = shelf.tenant, shelf.service.manual_clock
    for _ in range(3):
        shelf.record()
        clock.advance(s=60)
    newest_first = shelf.ids[::-1]
    listed = ask(tenant, "GET", "/recordings").body["data"]
    assert [it["id"] for it in listed] == newest_first
    for query, expected in (
        (f"session_id={listed[1]['session_id']}", newest_first[1:2]),
        (f"call_id={listed[0]['call_id']}", newest_first[:1]),
        (f"completed_after={listed[1]['completed_at']}", newest_first[:1]),
        (f"completed_before={listed[1]['completed_at']}", newest_first[2:]),
    ):
        found = ask(tenant, "GET", f"/recordings?{query}").body["data"]
        assert [it["id"] for it in found] == expected, query
    first = ask(tenant, "GET", "/recordings?limit=2").body
    second = ask(tenant, "GET", f"/recordings?limit=2&after={first['next']}").body
    assert [it["id"] for it in first["data"] + second["data"]] == newest_first
    assert second["next"] is None


def test_a_link_opens_without_credentials(shelf: Shelf) -> None:
    """For as long as was wanted, and no longer."""
    id_ = shelf.record()
    made = ask(shelf.tenant, "POST", f"/recordings/{id_}/link", {"expires_in_s": 60})
    assert (made.status, made.body["recording_id"]) == (201, id_)
    url = urlsplit(made.body["url"])
    target = f"{url.path}?{url.query}"
    heard = shelf.service.request("GET", target)
    assert (heard.status, heard.text) == (200, AUDIO)
    shelf.service.manual_clock.advance(s=61)
    assert shelf.service.request("GET", target).status == 401
    check_problem(
        ask(shelf.tenant, "POST", f"/recordings/{id_}/link", {"expires_in_s": 1}),
        422,
        "invalid",
        "/expires_in_s",
    )
    check_problem(ask(shelf.tenant, "POST", f"/recordings/{'0' * 32}/link"), 404, "not-found")


def test_a_deleted_recording_is_gone(shelf: Shelf) -> None:
    """It is neither listed nor heard, and deleting it again finds nothing."""
    id_, tenant = shelf.record(), shelf.tenant
    _, reader = new_key(tenant, Permission.RECORDINGS_READ)
    check_problem(ask(tenant, "DELETE", f"/recordings/{id_}", **reader), 403, "not-permitted")
    assert ask(tenant, "DELETE", f"/recordings/{id_}").status == 204
    assert ask(tenant, "GET", "/recordings").body["data"] == []
    for method, path in (("GET", ""), ("GET", "/audio"), ("DELETE", ""), ("POST", "/link")):
        check_problem(ask(tenant, method, f"/recordings/{id_}{path}"), 404, "not-found")


def test_other_accounts_recordings_look_missing(service: Service, shelf: Shelf) -> None:
    """As do ids that are none."""
    id_, other = shelf.record(), service.new_account(0)
    assert ask(other, "GET", "/recordings").body["data"] == []
    for name in (id_, "x", "0" * 32):
        for method, path in (("GET", ""), ("GET", "/audio"), ("DELETE", ""), ("POST", "/link")):
            check_problem(ask(other, method, f"/recordings/{name}{path}"), 404, "not-found")


def test_how_long_recordings_are_kept(shelf: Shelf) -> None:
    """For good, or for so many days after their call, those that are there included."""
    id_, tenant = shelf.record(), shelf.tenant

    def keep(body: object) -> Answer:
        return ask(tenant, "PATCH", "/recording-retention", body)

    assert ask(tenant, "GET", "/recording-retention").body == {"object": "recording_retention", "days": None}
    assert keep({"days": 30}).body == {"object": "recording_retention", "days": 30}
    assert ask(tenant, "GET", "/recording-retention").body["days"] == 30
    assert ask(tenant, "GET", f"/recordings/{id_}").body["expires_at"] is not None
    assert keep({"days": None}).body["days"] is None
    assert ask(tenant, "GET", f"/recordings/{id_}").body["expires_at"] is None
    for wrong in ({"days": 0}, {"days": 36_501}, {"days": True}, {}):
        check_problem(keep(wrong), 422, "invalid", "/days")
    _, reader = new_key(tenant, Permission.RECORDINGS_READ)
    check_problem(ask(tenant, "PATCH", "/recording-retention", {"days": 1}, **reader), 403, "not-permitted")
