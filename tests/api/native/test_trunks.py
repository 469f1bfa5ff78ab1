"""Trunks over HTTP."""

from itertools import count

import pytest
from tests.api.native.asking import check_problem, holder
from tests.api.service import Service, Tenant

from maskline.api.native.models.trunks import NewTrunk, TrunkChanges
from maskline.api.native.trunks import change_settings
from maskline.cli.trunk_options import TrunkOptions
from maskline.cli.trunk_options import change_settings as change_by_options
from maskline.core.inventory import TrunkSettings
from maskline.store.trunks import TARGET_COUNT_MAX
from maskline.workflows.trunks import load_trunk

_SERIAL = count()
PASSWORD = "p4ssw0rd-of-trunk"


def _name(service: Service) -> str:
    return f"trunk {service.port}.{next(_SERIAL)}"


def _new(service: Service, **given: object) -> dict[str, object]:
    return {"name": _name(service), "targets": [{"host": "192.0.2.1"}], **given}


FULL: dict[str, object] = {
    "targets": [
        {"host": "Sip.Example.com", "transport": "tls", "priority": 1, "weight": 5},
        {"host": "[2001:db8::1]", "port": 5070},
    ],
    "accept": ["192.0.2.0/24", "2001:db8::1"],
    "media_networks": ["198.51.100.0/24"],
    "country": "GB",
    "codecs": ["PCMA", "opus"],
    "number_format": "digits",
    "caller_format": "00",
    "dial_prefix": "77",
    "sends_user_phone": True,
    "dialled_from": "to",
    "trusted_for_identity": False,
    "sends_asserted": True,
    "from_host": "us.example",
    "username": "us",
    "password": PASSWORD,
    "realm": "theirs",
    "registration": {"registrar": {"host": "reg.example"}, "expires_s": 300},
    "health_check": False,
    "max_calls": 3,
}


def test_a_trunk_is_added_with_everything(service: Service) -> None:
    """What was given is told again, hosts and networks in their usual form; never the password."""
    operator, new = holder(service), _new(service, **FULL)
    answer = operator.ask("POST", "/trunks", new)
    assert answer.status == 201, answer.text
    body = answer.body
    assert body["targets"] == [
        {"host": "sip.example.com", "port": None, "transport": "tls", "priority": 1, "weight": 5},
        {"host": "2001:db8::1", "port": 5070, "transport": "udp", "priority": 10, "weight": 10},
    ]
    assert body["accept"] == ["192.0.2.0/24", "2001:db8::1/128"]
    assert body["password_set"] is True
    told = set(FULL) - {"targets", "accept", "password", "registration"}
    assert {name: body[name] for name in told} == {name: FULL[name] for name in told}
    assert body["registration"]["registrar"]["host"] == "reg.example"
    shown = operator.ask("GET", f"/trunks/{str(new['name']).replace(' ', '%20')}")
    assert shown.body == body
    assert body in operator.ask("GET", "/trunks?limit=100").body["data"]
    assert PASSWORD.encode() not in answer.text + shown.text
    stored = service.store.read(load_trunk, str(new["name"]))
    assert stored is not None
    assert stored.password is not None
    assert stored.password.reveal() == PASSWORD
    check_problem(operator.ask("POST", "/trunks", new), 409, "trunk-exists")


def test_calls_come_from_the_targets_where_nothing_else_is_said(service: Service) -> None:
    """Addresses accept themselves; for names it has to be said, for DNS is not asked here."""
    operator = holder(service)
    assert operator.ask("POST", "/trunks", _new(service)).body["accept"] == ["192.0.2.1/32"]
    answer = operator.ask("POST", "/trunks", _new(service, targets=[{"host": "sip.example.com"}]))
    check_problem(answer, 422, "invalid")
    assert answer.body["errors"][0]["pointer"] == "/accept"


def test_a_trunk_is_changed(service: Service) -> None:
    """What is named changes, the rest stays; null takes away what may be absent."""
    operator, new = holder(service), _new(service, **FULL)
    before = operator.ask("POST", "/trunks", new).body
    path = f"/trunks/{str(new['name']).replace(' ', '%20')}"
    assert operator.ask("PATCH", path, {}).body == before
    changed = operator.ask("PATCH", path, {"max_calls": None, "caller_format": None, "dial_prefix": ""}).body
    assert changed == {**before, "max_calls": None, "caller_format": None, "dial_prefix": ""}
    plain = operator.ask("PATCH", path, {"registration": None, "username": None, "password": None}).body
    assert (plain["registration"], plain["username"], plain["password_set"]) == (None, None, False)
    for wanted, pointer in (
        ({"username": "us"}, "/password"),
        ({"registration": {}}, "/registration"),
        ({"targets": [{"host": "192.0.2.1"}, {"host": "192.0.2.1", "weight": 1}]}, "/targets"),
        ({"targets": []}, "/targets"),
        ({"name": "other"}, "/name"),
    ):
        answer = operator.ask("PATCH", path, wanted)
        check_problem(answer, 422, "invalid")
        assert answer.body["errors"][0]["pointer"] == pointer
    check_problem(operator.ask("PATCH", "/trunks/nothing", {}), 404, "not-found")


def test_a_trunk_with_numbers_stays(service: Service, tenant: Tenant) -> None:
    """It goes when they have gone; its name is free again then, and old numbers may come back on another."""
    operator, new = holder(service), _new(service)
    name = str(new["name"])
    path = f"/trunks/{name.replace(' ', '%20')}"
    operator.ask("POST", "/trunks", new)
    number = f"+91227{tenant.account.id:08d}"
    add = {"numbers": [number], "trunk": name, "account": tenant.auth_id}
    assert operator.ask("POST", "/numbers", add).status == 201
    check_problem(operator.ask("DELETE", path), 409, "trunk-in-use")
    assert operator.ask("DELETE", f"/numbers/{number}").status == 200
    assert operator.ask("DELETE", path).status == 204
    for method in ("GET", "DELETE"):
        check_problem(operator.ask(method, path), 404, "not-found")
    answer = operator.ask("POST", "/numbers", add)
    assert answer.body["errors"][0]["pointer"] == "/trunk"
    assert operator.ask("POST", "/trunks", new).status == 201
    assert operator.ask("POST", "/numbers", add).status == 201


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"targets": [{"host": "0.0.0.0"}]}, "/targets/0/host"),
        ({"targets": [{"host": "a b"}]}, "/targets/0/host"),
        ({"targets": [{"host": "a.example", "port": 0}]}, "/targets/0/port"),
        ({"targets": [{"host": "a.example", "transport": "sctp"}]}, "/targets/0/transport"),
        ({"accept": ["192.0.2.1/24"]}, "/accept/0"),
        ({"accept": ["secret-host"]}, "/accept/0"),
        ({"codecs": ["MP3"]}, "/codecs/0"),
        ({"dial_prefix": "abc"}, "/dial_prefix"),
        ({"max_calls": 0}, "/max_calls"),
        ({"max_calls": "3"}, "/max_calls"),
        ({"username": "u", "password": "x" * 256}, ""),
        ({"registration": {"expires_s": 1}}, "/registration/expires_s"),
        ({"from_host": "no host"}, "/from_host"),
    ],
)
def test_what_makes_no_trunk(service: Service, given: dict[str, object], pointer: str) -> None:
    """The refusal says where, and does not repeat what was sent."""
    answer = holder(service).ask("POST", "/trunks", _new(service, **given))
    check_problem(answer, 422, "invalid")
    assert {it["pointer"] for it in answer.body["errors"]} == {pointer}
    assert b"secret-host" not in answer.text


def test_both_ways_to_describe_a_trunk_agree() -> None:
    """What the command makes of its options is what the interface makes of its fields."""
    options = TrunkOptions(
        target=("sip.example.com;transport=tls;priority=1;weight=5", "[2001:db8::1]:5070"),
        accept=("192.0.2.0/24,2001:db8::1",),
        media_network=("198.51.100.0/24",),
        country="GB",
        codec=("PCMA", "opus"),
        number_format="digits",
        caller_format="00",
        dial_prefix="77",
        user_phone=True,
        dialled_from="to",
        trust_identity=False,
        send_asserted=True,
        from_host="us.example",
        username="us",
        password=PASSWORD,
        realm="theirs",
        register=True,
        registrar="reg.example",
        register_expires=300,
        health_check=False,
        max_calls="3",
    )
    start = TrunkSettings(name="carrier", targets=())
    wanted = NewTrunk.model_validate({"name": "carrier", **FULL}, strict=False)
    assert change_settings(start, wanted) == change_by_options(start, options)
    assert NewTrunk.model_fields.keys() - {"name"} == TrunkChanges.model_fields.keys()


def test_as_many_targets_as_the_table_takes() -> None:
    """The models' limit is the store's."""
    targets = [{"host": f"192.0.2.{index}"} for index in range(TARGET_COUNT_MAX + 1)]
    assert len(NewTrunk(name="t", targets=targets[1:]).targets) == TARGET_COUNT_MAX  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="targets"):
        NewTrunk(name="t", targets=targets)  # type: ignore[arg-type]
