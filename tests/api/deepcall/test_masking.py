"""Set and unset, on both databases."""

from zoneinfo import ZoneInfo

import pytest
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant, Services, give_credentials
from tests.api.service import Service

from maskline.clock import to_datetime
from maskline.core.inventory import Account, NewAccount, NewNumbers
from maskline.core.masking import MICROSECONDS, RepeatRule, SessionFilter, SessionPage
from maskline.core.numbers import DID
from maskline.workflows.accounts import create_account
from maskline.workflows.list_masking_sessions import list_masking_sessions
from maskline.workflows.numbers import add_numbers

OTHER = "9120255522"
MINUTE = 60 * MICROSECONDS
INVALID = "Invalid parameters: "


def sessions_of(deepcall: DeepCallTenant) -> SessionPage:
    wanted = SessionFilter()
    return deepcall.service.run(
        list_masking_sessions, deepcall.tenant.account, wanted, deepcall.service.clock.now()
    )


def shown(instant: int, zone: str = "Asia/Kolkata") -> str:
    return f"{to_datetime(instant).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def refused(deepcall: DeepCallTenant, path: str, **fields: object) -> tuple[int, str]:
    answer = deepcall.call(path, **fields)
    assert answer.status == 200
    assert list(answer.body) == ["status", "message", "code"]
    assert answer.body["status"] == "error"
    return answer.body["code"], answer.body["message"]


def test_the_published_sample(deepcall: DeepCallTenant) -> None:
    """Unquoted numbers, an eventId, a duration of a day; no Content-Type, or one that is wrong."""
    text = (
        f'{{"ssid": "{deepcall.ssid}","m1": {M1},"m2": {M2},"eventId": "customer_support_123",'
        '"expiry_duration": 1440}'
    )
    answer = deepcall.send("Masking/set", text.encode(), **{"Content-Type": "text/plain"})
    mask = deepcall.tenant.numbers[0].removeprefix("+")
    ends = shown(deepcall.service.clock.now() + 1440 * MINUTE)
    assert answer.text.decode() == (
        '{"status":"success","message":"Masking set successfully","code":200,"data":{'
        f'"mask":"{mask}","m1":"91{M1}","m2":"91{M2}","eventId":"customer_support_123",'
        f'"expiry_time":"{ends}"}},"mask":"{mask}","expiry_time":"{ends}"}}'
    )


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "text/plain", "application/x-www-form-urlencoded", "x"]
)
def test_any_content_type(deepcall: DeepCallTenant, content_type: str) -> None:
    """The bytes decide: the samples send none, plain text, or what their libraries add."""
    text = f'{{"ssid":"{deepcall.ssid}","m1":{M1},"m2":{M2}}}\n'
    headers = {"Content-Type": content_type} if content_type else {}
    assert deepcall.send("Masking/set", text.encode(), **headers).body["status"] == "success"


def test_a_mask_is_a_session_like_any_other(deepcall: DeepCallTenant) -> None:
    """Both parties, the number, the end, and the client's reference."""
    deepcall.set(eventId="order 7", expiry_duration=90)
    [session] = sessions_of(deepcall).sessions
    assert (session.first, session.second) != (None, None)
    assert session.virtual_number == deepcall.tenant.numbers[0]
    assert session.reference == "order 7"
    assert session.ends_at == deepcall.service.clock.now() + 90 * MINUTE
    assert not session.is_geomatched
    assert session.pin is None


@pytest.mark.parametrize(("event_id", "told"), [("a", "a"), (12, "12"), (None, None), ("", None)])
def test_event_ids_return(deepcall: DeepCallTenant, event_id: object, told: str | None) -> None:
    """As text; null where there was none."""
    assert deepcall.set(eventId=event_id)["data"]["eventId"] == told


@pytest.mark.parametrize("wrong", ["x" * 201, "a\x00", True, [1], {"a": 1}])
def test_event_ids_that_cannot_be_kept_are_1000(deepcall: DeepCallTenant, wrong: object) -> None:
    """Too long, unprintable, or no text at all."""
    code, message = refused(deepcall, "Masking/set", m1=M1, m2=M2, eventId=wrong)
    assert (code, message.startswith(INVALID + "eventId")) == (1000, True)


@pytest.mark.parametrize(
    ("m1", "m2"),
    [
        (M1, M1),
        (M1, f"0{M1}"),
        (M1, f"+91{M1}"),
        (f"91{M1}", int(M1)),
        (f"+91 {M1[:5]} {M1[5:]}", float(M1)),
    ],
)
def test_one_person_twice_is_1501(deepcall: DeepCallTenant, m1: object, m2: object) -> None:
    """However the number is written."""
    expected = (1501, "m1 and m2 cannot be the same")
    assert refused(deepcall, "Masking/set", m1=m1, m2=m2) == expected
    assert refused(deepcall, "Masking/unset", m1=m1, m2=m2) == expected


@pytest.mark.parametrize(
    "expiry",
    [
        {"expiry_duration": "soon"},
        {"expiry_duration": 1.5},
        {"expiry_duration": True},
        {"expiryDuration": "1.0"},
        {"expiry_time": "tomorrow"},
        {"expiry_time": "2026-02-30 00:00:00"},
        {"Expiry_Time": False},
    ],
)
def test_an_expiry_that_is_no_integer_is_1502(deepcall: DeepCallTenant, expiry: dict[str, object]) -> None:
    """Nor one of the forms in which times are understood."""
    expected = (1502, "Expiry must be an integer value")
    assert refused(deepcall, "Masking/set", m1=M1, m2=M2, **expiry) == expected
    assert refused(deepcall, "Masking/unset", m1=M1, **expiry) == expected


@pytest.mark.parametrize(
    "expiry",
    [
        {"expiry_duration": 0},
        {"expiry_duration": -1},
        {"expiry_time": 1},
        {"expiry_time": "2001-01-01 00:00:00"},
        {"expiry_time": "2001-01-01T00:00:00Z"},
    ],
)
def test_a_mask_cannot_end_before_it_begins(deepcall: DeepCallTenant, expiry: dict[str, object]) -> None:
    """1000, and it says why."""
    code = refused(deepcall, "Masking/set", m1=M1, m2=M2, **expiry)
    assert code == (1000, INVALID + "the expiry is in the past")
    assert sessions_of(deepcall).total_count == 0


def test_a_mask_lasts_a_year_at_most(deepcall: DeepCallTenant) -> None:
    """365 days are allowed, a minute more is not."""
    code = refused(deepcall, "Masking/set", m1=M1, m2=M2, expiry_duration=525_601)
    assert code == (1000, INVALID + "a masking lasts at most 365 days")
    deepcall.set(expiry_duration=525_600)
    [session] = sessions_of(deepcall).sessions
    assert session.ends_at - session.created_at == 365 * 86_400 * MICROSECONDS


def test_ends_are_exact(deepcall: DeepCallTenant) -> None:
    """To the second that was asked for, whatever fraction of one it is now."""
    ends_at = deepcall.service.clock.now() + 10 * MINUTE
    told = deepcall.set(expiry_time=ends_at // MICROSECONDS, expiry_duration=1)
    assert told["expiry_time"] == told["data"]["expiry_time"] == shown(ends_at)
    assert sessions_of(deepcall).sessions[0].ends_at == ends_at // MICROSECONDS * MICROSECONDS


@pytest.mark.parametrize("wrong", ["123", "none", True, -9120255500, [], 1.5, "+1"])
@pytest.mark.parametrize("name", ["m1", "m2"])
def test_what_is_no_number_is_1000(deepcall: DeepCallTenant, name: str, wrong: object) -> None:
    """And it says which."""
    fields = {"m1": M1, "m2": M2, name: wrong}
    assert refused(deepcall, "Masking/set", **fields) == (
        1000,
        f"{INVALID}{name} is not a valid phone number",
    )


@pytest.mark.parametrize("name", ["m1", "m2"])
def test_a_missing_number_is_1000(deepcall: DeepCallTenant, name: str) -> None:
    """Null and empty are missing too."""
    for nothing in (None, "", " "):
        fields = {"m1": M1, "m2": M2, name: nothing}
        assert refused(deepcall, "Masking/set", **fields) == (1000, f"{INVALID}{name} is missing")


def test_our_own_numbers_are_nobodys(deepcall: DeepCallTenant) -> None:
    """A call to one would come back to us."""
    own = deepcall.tenant.numbers[0]
    assert refused(deepcall, "Masking/set", m1=own, m2=M2) == (
        1000,
        INVALID + "m1 is not a valid phone number",
    )
    assert refused(deepcall, "Masking/set", m1=M1, m2=own) == (
        1000,
        INVALID + "m2 is not a valid phone number",
    )


@pytest.mark.parametrize(("m1", "m2"), [(M1, M2), (M2, M1), (f"+91{M1}", f"0{M2}"), (int(M2), f"91{M1}")])
def test_a_pair_that_is_masked_is_1503(deepcall: DeepCallTenant, m1: object, m2: object) -> None:
    """Also the other way round and written differently; nothing about the live mask changes."""
    deepcall.set(eventId="first")
    expected = "Your masking request could not be expired until now. So you cannot make another request"
    assert refused(deepcall, "Masking/set", m1=m1, m2=m2, eventId="second") == (1503, expected)
    [session] = sessions_of(deepcall).sessions
    assert session.reference == "first"


def test_a_pair_may_be_masked_again_once_its_mask_is_over(services: Services) -> None:
    """At its very end."""
    deepcall = services.tenant()
    deepcall.set(expiry_duration=1)
    deepcall.service.manual_clock.advance(us=MINUTE - 1)
    assert refused(deepcall, "Masking/set", m1=M1, m2=M2)[0] == 1503
    deepcall.service.manual_clock.advance(us=1)
    deepcall.set()


def test_others_are_masked_beside_a_pair(deepcall: DeepCallTenant) -> None:
    """One person may have masks with many, each on a number of its own to that person."""
    masks = {deepcall.set(m2=int(M2) + index)["mask"] for index in range(5)}
    assert masks == {number.removeprefix("+") for number in deepcall.tenant.numbers}
    assert refused(deepcall, "Masking/set", m1=M1, m2=OTHER) == (1505, "Masking No not available")


def test_reuse_answers_with_the_live_mask(services: Services) -> None:
    """Where that is set: as it stands, with its own end and reference."""
    deepcall = services.tenant(repeat_rule=RepeatRule.REUSE)
    first = deepcall.set(eventId="first", expiry_duration=5)
    assert deepcall.set(m1=M2, m2=M1, eventId="second", expiry_duration=500) == first


@pytest.mark.parametrize(("settings", "minutes"), [({}, 1440), ({"expiry_minutes": 7}, 7)])
def test_default_expiry_is_a_setting(services: Services, settings: dict[str, int], minutes: int) -> None:
    """1440 minutes where nothing is set."""
    deepcall = services.tenant(**settings)
    deepcall.set()
    [session] = sessions_of(deepcall).sessions
    assert session.ends_at - session.created_at == minutes * MINUTE


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        ("union", ["status", "message", "code", "data", "mask", "expiry_time"]),
        ("data", ["status", "message", "code", "data"]),
        ("top", ["status", "message", "code", "mask", "m1", "m2", "eventId", "expiry_time"]),
        ("mask", ["status", "mask"]),
    ],
)
def test_shape_of_successes_is_a_setting(services: Services, shape: str, keys: list[str]) -> None:
    """The vendor's own could not be read; errors have one shape."""
    deepcall = services.tenant(success_shape=shape)
    told = deepcall.set()
    assert list(told) == keys
    assert told["status"] == "success"
    told = deepcall.call("Masking/unset", m1=M1, m2=M2).body
    assert [key for key in told if key != "count"] == keys
    assert refused(deepcall, "Masking/unset", m1=M1, m2=M2)[0] == 1000


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ({}, 1000, 400),
        ({"m1": M1, "m2": M1}, 1501, 400),
        ({"m1": M1, "m2": M2, "expiry_duration": "x"}, 1502, 400),
        ({"m1": "9120250001", "m2": "9120250002"}, 1503, 409),
        ({"m1": "9120250001", "m2": "9120250009"}, 1505, 409),
    ],
)
@pytest.mark.parametrize("has_statuses", [False, True])
def test_errors_have_a_status_where_that_is_set(
    services: Services, fields: dict[str, object], code: int, status: int, has_statuses: bool
) -> None:
    """Else every answer is 200, and the body says."""
    deepcall = services.tenant(has_error_statuses=has_statuses)
    for index in range(5):
        deepcall.set(m1=9120250001, m2=9120250002 + index)
    answer = deepcall.call("Masking/set", **fields)
    assert (answer.status, answer.body["code"]) == (status if has_statuses else 200, code)
    wrong = deepcall.send("Masking/set", {"ssid": "x"})
    assert wrong.status == (401 if has_statuses else 200)
    assert deepcall.send("Masking/set").status == (400 if has_statuses else 200)


def test_times_are_the_accounts(service: Service) -> None:
    """Zone and country of the account, not of the service."""
    now = service.clock.now()
    new = NewAccount(name=f"far away {service.database_url}", country="US", timezone="America/New_York")
    account = service.run(create_account, new, now)
    assert isinstance(account, Account)
    serial = 0 if "sqlite" in service.database_url else 1
    did = DID(f"+1202556010{serial}")
    service.run(
        add_numbers, NewNumbers(numbers=(did,), account_id=account.id, trunk_id=service.trunk.id), now
    )
    tenant = type(service.new_account(0))(service, account, (did,))
    deepcall = give_credentials(tenant)
    ends_at = now // MICROSECONDS * MICROSECONDS + 3600 * MICROSECONDS
    told = deepcall.set(m1="2025550101", m2="919120255500", expiry_time=shown(ends_at, "America/New_York"))
    assert told["data"]["m1"] == "12025550101"
    assert told["data"]["m2"] == "919120255500"
    assert told["expiry_time"] == shown(ends_at, "America/New_York")
    assert told["mask"] == did.removeprefix("+")
    assert sessions_of(deepcall).sessions[0].ends_at == ends_at


def test_the_unset_sample(deepcall: DeepCallTenant) -> None:
    """The mask and a duration of -1: over at once, and the mask is told as it now stands."""
    told = deepcall.set(eventId="e")
    answer = deepcall.call("Masking/unset", mask=int(told["mask"]), expiry_duration=-1)
    now = shown(deepcall.service.clock.now())
    assert answer.text.decode() == (
        '{"status":"success","message":"Masking unset successfully","code":200,"data":{'
        f'"mask":"{told["mask"]}","m1":"91{M1}","m2":"91{M2}","eventId":"e","expiry_time":"{now}","count":1}},'
        f'"mask":"{told["mask"]}","expiry_time":"{now}"}}'
    )
    deepcall.set()


@pytest.mark.parametrize(
    "choice",
    [
        {"m1": M1},
        {"m2": M2},
        {"m1": M1, "m2": M2},
        {"m1": M2, "m2": M1},
        {"m1": f"+91{M1}", "m2": f"0{M2}"},
    ],
)
@pytest.mark.parametrize(
    "expiry", [{}, {"expiry_duration": -1}, {"expiry_duration": 0}, {"expiry_time": "2001-01-01 00:00:00"}]
)
def test_unset_ends_at_once(
    deepcall: DeepCallTenant, choice: dict[str, object], expiry: dict[str, object]
) -> None:
    """By either person or both; without an expiry, or with one that has passed."""
    deepcall.set()
    answer = deepcall.call("Masking/unset", **choice, **expiry)
    assert answer.body["message"] == "Masking unset successfully"
    [session] = sessions_of(deepcall).sessions
    assert session.ends_at == session.ended_at == deepcall.service.clock.now()


@pytest.mark.parametrize("spelling", ["{mask}", "+{mask}", "{national}", "0{national}"])
def test_a_mask_may_be_named_as_it_is_dialled(deepcall: DeepCallTenant, spelling: str) -> None:
    """With country code or without."""
    mask = deepcall.set()["mask"]
    named = spelling.format(mask=mask, national=mask[2:])
    assert deepcall.call("Masking/unset", mask=named, m1=M1).body["code"] == 200


def test_a_positive_expiry_moves_the_end(deepcall: DeepCallTenant) -> None:
    """Forth and back; the mask lives on."""
    told = deepcall.set()
    now = deepcall.service.clock.now()
    for expiry, ends_at in (
        ({"expiry_duration": 5000}, now + 5000 * MINUTE),
        ({"expiry_duration": "5"}, now + 5 * MINUTE),
        (
            {"expiry_time": (now + 9 * MINUTE) // MICROSECONDS},
            (now + 9 * MINUTE) // MICROSECONDS * MICROSECONDS,
        ),
    ):
        answer = deepcall.call("Masking/unset", mask=told["mask"], **expiry).body
        assert answer["message"] == "Masking expiry changed successfully"
        assert answer["data"] == {**told["data"], "expiry_time": shown(ends_at), "count": 1}
        [session] = sessions_of(deepcall).sessions
        assert (session.ends_at, session.ended_at) == (ends_at, None)
    assert refused(deepcall, "Masking/unset", m1=M1, expiry_duration=525_601)[0] == 1000


@pytest.mark.parametrize("choice", [{"m1": M1}, {"mask": "shared"}])
def test_unset_does_not_end_more_than_it_may_mean(services: Services, choice: dict[str, str]) -> None:
    """One person may have several masks, and one number serves several pairs: none is touched."""
    deepcall = services.tenant(has_own_numbers=False)
    shared = deepcall.set()["mask"]
    deepcall.set(m2=OTHER)
    assert deepcall.set(m1="9120255533", m2="9120255544")["mask"] == shared
    fields = {name: shared if value == "shared" else value for name, value in choice.items()}
    for expiry in ({}, {"expiry_duration": 5}):
        told = refused(deepcall, "Masking/unset", **fields, **expiry)
        assert told == (1000, INVALID + "more than one masking is meant; give both m1 and m2")
    assert all(session.ended_at is None for session in sessions_of(deepcall).sessions)
    assert deepcall.call("Masking/unset", mask=shared, m1=M1).body["data"]["m2"] == f"91{M2}"


def test_a_setting_allows_to_end_several(services: Services) -> None:
    """The newest is told, and how many there were."""
    deepcall = services.tenant(unset_count_max=2)
    deepcall.set()
    deepcall.service.manual_clock.advance(us=1)
    deepcall.set(m2=OTHER)
    data = deepcall.call("Masking/unset", m1=M1).body["data"]
    assert (data["m2"], data["count"]) == (f"91{OTHER}", 2)
    for index in range(3):
        deepcall.set(m2=int(M2) + index)
    assert refused(deepcall, "Masking/unset", m1=M1)[0] == 1000


def test_sides_matter_to_one_person_alone(deepcall: DeepCallTenant) -> None:
    """`m1` is sought among those that were m1."""
    deepcall.set()
    nothing = (1000, INVALID + "there is no such live masking")
    assert refused(deepcall, "Masking/unset", m1=M2) == nothing
    assert refused(deepcall, "Masking/unset", m2=M1) == nothing


@pytest.mark.parametrize(
    "choice", [{"m1": M1}, {"m2": M2}, {"mask": "2269900000"}, {"mask": 912269900000, "m1": M1}]
)
def test_nothing_to_unset_is_1000(deepcall: DeepCallTenant, choice: dict[str, object]) -> None:
    """Never set, or over already."""
    nothing = (1000, INVALID + "there is no such live masking")
    assert refused(deepcall, "Masking/unset", **choice) == nothing
    deepcall.set()
    assert deepcall.call("Masking/unset", m1=M1).body["code"] == 200
    assert refused(deepcall, "Masking/unset", **choice) == nothing


def test_unset_must_say_what(deepcall: DeepCallTenant) -> None:
    """At least one of three."""
    assert refused(deepcall, "Masking/unset", eventId="e") == (1000, INVALID + "m1, m2 or mask is missing")
    assert refused(deepcall, "Masking/unset", mask="x")[0] == 1000


def test_sessions_of_other_dialects_are_masks_too(deepcall: DeepCallTenant) -> None:
    """An account is one, whoever speaks for it."""
    created = deepcall.tenant.create(first_party=f"+91{M1}", second_party=f"+91{M2}")
    told = deepcall.call("Masking/unset", m1=M2, m2=M1).body
    assert told["data"]["mask"] == created["session"]["virtual_number"]
    answer = deepcall.tenant.request("GET", f"/Masking/Session/{created['session_uuid']}/")
    assert answer.body["response"]["status"] == "expired"
