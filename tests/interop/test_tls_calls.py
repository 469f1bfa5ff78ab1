"""Masked calls over TLS through the service as a process: with independent phones, and with carriers by hand."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from maskline.core.inventory import Registration, Target, Transport
from maskline.core.secret import Secret
from tests.certificates import Certificate, make_authority, make_certificate
from tests.interop.baresip import Baresip, baresip, level_of
from tests.interop.ground import CREDENTIALS, Carrier, Ground, loopback_block
from tests.interop.hand import Hand, accept, connect, describe, listening
from tests.interop.secrets_of import Party
from tests.interop.stage import Stage, check_tells_nothing
from tests.interop.talk import PORT_A, PORT_B, TONE_A_HZ, TONE_B_HZ
from tests.interop.voice import Voice, voice
from tests.interop.wire import not_allowed

TLS_PORT: Final = 5061
PHONE_NAME: Final = "localhost"  # the one name that every system can look up, to one address
PORT_TRY_COUNT_MAX: Final = 20
PCMA: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The service with TLS, and a carrier for every kind of test."""

    ground: Ground
    authority: Certificate
    named: Carrier  # its target is a name
    phone_address: tuple[str, int]  # where that name leads to; TLS is at the next port
    strict: tuple[Carrier, ...]
    plain: Carrier
    beside: Carrier
    registering: Carrier

    @property
    def address(self) -> tuple[str, int]:
        """Where the service listens for TLS."""
        return self.ground.address[0], TLS_PORT

    def certificate(self, directory: Path, *names: str) -> Certificate:
        """A certificate that the service believes."""
        return make_certificate(directory, self.authority, *names)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service on SQLite. Nothing it logs tells a number, or of a fault."""
    directory = tmp_path_factory.mktemp("tls")
    authority = make_authority(directory)
    with loopback_block() as block:
        host = f"{block}.0.10"
        ours = make_certificate(directory, authority, host)
        files = {"CERT": ours.cert_path, "KEY": ours.key_path, "CA": authority.cert_path}
        ground = Ground(
            block,
            directory / "ground",
            settings={
                "SIP_TLS_BIND": f"{host}:{TLS_PORT}",
                **{f"SIP_TLS_{name}": str(path) for name, path in files.items()},
            },
        )
        site = make_site(ground, authority)
        ground.start()
        try:
            yield site
        finally:
            ground.stop()
            ground.store.close()
        assert ground.told_in_logs() == []
        assert ground.errors_in_logs() == []


def make_site(ground: Ground, authority: Certificate) -> Site:
    """Add the carriers, which all speak TLS but one."""
    named, registering, beside, *strict = (
        with_tls(ground, each) for each in ground.add_carriers(5, transport="tls")
    )
    (plain,) = ground.add_carriers(1)
    phone_address = free_pair("127.0.0.1")
    ground.change_trunk(
        named,
        targets=(Target(host=PHONE_NAME, port=phone_address[1] + 1, transport=Transport.TLS),),
        accept=("127.0.0.1/32",),  # phones do not choose the address they connect from
    )
    return Site(
        ground=ground,
        authority=authority,
        named=named,
        phone_address=phone_address,
        strict=tuple(strict),
        plain=plain,
        beside=beside,
        registering=registering,
    )


def with_tls(ground: Ground, carrier: Carrier) -> Carrier:
    """Have a carrier's peer where TLS usually is."""
    peer = (carrier.host(202), TLS_PORT)
    ground.change_trunk(carrier, targets=(Target(host=peer[0], port=peer[1], transport=Transport.TLS),))
    return replace(carrier, peer=peer)


def free_pair(host: str) -> tuple[str, int]:
    """Find two neighbouring TCP ports that nobody has; the second is for TLS."""
    for _ in range(PORT_TRY_COUNT_MAX):
        with socket.socket() as first, socket.socket() as second:
            first.bind((host, 0))
            port = first.getsockname()[1]
            try:
                second.bind((host, port + 1))
            except OSError:
                continue
            return host, port
    raise AssertionError("no two neighbouring ports are free")


# --- phones -----------------------------------------------------------------------------------------------------


@pytest.fixture
def phones(site: Site, tmp_path: Path) -> Iterator[tuple[Baresip, Baresip]]:
    """Caller and callee; the callee answers by itself, and shows a certificate for its name."""
    both = tmp_path / "both.pem"
    shown = site.certificate(tmp_path, PHONE_NAME)
    both.write_bytes(shown.key_path.read_bytes() + shown.cert_path.read_bytes())
    carrier = site.named
    with ExitStack() as stack:
        found = [
            stack.enter_context(
                baresip(
                    tmp_path / name,
                    host=carrier.host(last),
                    account=f"<sip:{number}@{site.address[0]};transport=tls>;regint=0;answermode=auto"
                    ";audio_codecs=PCMA/8000/1",
                    ports=(16_500 + 10 * last, 16_509 + 10 * last),
                    tone_hz=tone_hz,
                    sip_address=sip_address,
                    more_config=f"sip_certificate {both}\nsip_cafile {site.authority.cert_path}\n",
                )
            )
            for name, last, number, tone_hz, sip_address in (
                ("caller", 11, carrier.a.number, TONE_A_HZ, None),
                ("callee", 12, carrier.b.number, TONE_B_HZ, site.phone_address),
            )
        ]
        yield found[0], found[1]


@pytest.mark.baresip
def test_a_phone_calls_another(site: Site, phones: tuple[Baresip, Baresip]) -> None:
    """Both legs over TLS, the callee's certificate verified by name: sound both ways, nobody's number to the other."""
    caller, callee = phones
    carrier = site.named
    site.ground.add_session(carrier)
    caller.command("dial", f"sip:{carrier.virtual}@{site.address[0]}:{TLS_PORT}")
    caller.wait_for_event("CALL_ESTABLISHED")
    assert carrier.virtual in callee.wait_for_event("CALL_ESTABLISHED")["peeruri"]
    for phone, own_hz, other_hz in ((caller, TONE_A_HZ, TONE_B_HZ), (callee, TONE_B_HZ, TONE_A_HZ)):
        samples = phone.heard()
        assert level_of(samples, other_hz) > 0.9
        assert level_of(samples, own_hz) < 0.01
    caller.command("hangup")
    callee.wait_for_event("CALL_CLOSED")
    for phone, other in ((caller, carrier.b), (callee, carrier.a)):
        assert other.national not in json.dumps(phone.events())
    assert site.ground.wait_for_records(carrier.virtual) == [("success", "caller-hung-up")]


# --- by hand ----------------------------------------------------------------------------------------------------


def check_masked(hand: Hand, other: Party) -> None:
    """Nothing one end was sent is off the list, or tells anything of the other."""
    assert not_allowed(hand.heard) == []
    check_tells_nothing(hand.heard, other)


@pytest.mark.parametrize("fault", ["another name", "another authority"])
def test_a_carrier_that_is_not_verified_is_not_called(site: Site, tmp_path: Path, fault: str) -> None:
    """The caller hears 503 and a record says why; the one who took the connection learns nothing."""
    has_name = fault != "another name"
    carrier = site.strict[has_name]
    site.ground.add_session(carrier)
    authority = make_authority(tmp_path, "stranger") if has_name else site.authority
    shown = make_certificate(tmp_path, authority, carrier.uas[0] if has_name else "other.example")
    with (
        listening(carrier.uas, shown) as listener,
        connect(site.address, site.authority, local=(carrier.uac[0], 0)) as caller,
    ):
        warned_count = site.ground.log.count("sip.tls_not_verified")
        dialog = caller.dial(carrier.a.number, carrier.virtual, sdp=describe((carrier.a.hosts[1], PORT_A)))
        with pytest.raises(ssl.SSLError):
            listener.accept()
        caller.hear(method="INVITE", status=503)
        caller.say(dialog, "ACK", 1)
        check_masked(caller, carrier.b)
    assert site.ground.wait_for_records(carrier.virtual) == [("carrier", "carrier-unreachable")]
    assert site.ground.log.count("sip.tls_not_verified") > warned_count


@pytest.mark.sipp
def test_a_trunk_without_tls_goes_on_beside_one_with(site: Site, tmp_path: Path) -> None:
    """While a call over TLS runs, another goes through over UDP; each trunk's legs come as its carrier speaks."""
    carrier, plain = site.beside, site.plain
    site.ground.add_session(carrier)
    site.ground.add_session(plain)
    stage = Stage(site.ground, plain, tmp_path)
    with (
        listening(carrier.uas, site.certificate(tmp_path, carrier.uas[0])) as listener,
        connect(site.address, site.authority, local=(carrier.uac[0], 0)) as caller,
    ):
        dialog = caller.dial(carrier.a.number, carrier.virtual, sdp=describe((carrier.a.hosts[1], PORT_A)))
        with accept(listener) as callee:
            invite = callee.hear(method="INVITE")
            callee.answer(invite, 200, sdp=describe((carrier.b.hosts[1], PORT_B)))
            callee.hear(method="ACK")
            caller.hear_answer(dialog)
            uas = stage.uas("uas_answers")
            uac = stage.uac("uac_hangs_up").wait()
            uas.wait()
            stage.check_masked(uac, uas)
            assert uas.received(method="INVITE")[0].header("Via").startswith("SIP/2.0/UDP ")
            assert invite.header("Via").startswith("SIP/2.0/TLS ")
            assert "transport=tls" in invite.header("Contact")
            assert site.ground.records(carrier.virtual) == []
            caller.say(dialog, "BYE", 2)
            callee.answer(callee.hear(method="BYE"), 200)
            caller.hear(method="BYE", status=200)
            check_masked(callee, carrier.a)
            check_masked(caller, carrier.b)
    stage.close()
    for number in (carrier.virtual, plain.virtual):
        assert site.ground.wait_for_records(number) == [("success", "caller-hung-up")]


def test_a_registered_trunk_has_its_calls_on_that_connection(site: Site, tmp_path: Path) -> None:
    """REGISTER over TLS, then both legs of a call on the connection it made, with sound both ways."""
    carrier = site.registering
    site.ground.add_session(carrier)
    a_address, b_address = (carrier.a.hosts[1], PORT_A), (carrier.b.hosts[1], PORT_B)
    with (
        listening(carrier.uas, site.certificate(tmp_path, carrier.uas[0])) as listener,
        voice(a_address, TONE_A_HZ) as a,
        voice(b_address, TONE_B_HZ) as b,
    ):
        site.ground.change_trunk(
            carrier,
            registration=Registration(expires_s=300),
            username=CREDENTIALS[0],
            password=Secret(CREDENTIALS[1]),
        )
        with accept(listener) as registrar:
            call_on_one_connection(site, registrar, a, b)
    assert site.ground.wait_for_records(carrier.virtual) == [("success", "caller-hung-up")]


def call_on_one_connection(site: Site, registrar: Hand, a: Voice, b: Voice) -> None:
    """Take a registration, call and be called, and hang up."""
    carrier = site.registering
    registered = registrar.hear(method="REGISTER")
    assert "transport=tls" in registered.header("Contact")
    registrar.answer(registered, 200, more=("Expires: 300",))
    dialog = registrar.dial(carrier.a.number, carrier.virtual, sdp=describe(a.address))
    invite = registrar.hear(method="INVITE")
    b.join(invite, PCMA)
    registrar.answer(invite, 200, sdp=describe(b.address))
    a.join(registrar.hear_answer(dialog))
    a.wait_until_hears(b.tone_hz)
    b.wait_until_hears(a.tone_hz)
    registrar.say(dialog, "BYE", 2)
    registrar.answer(registrar.hear(method="BYE"), 200)
    assert not_allowed([text for text in registrar.heard if text.method != "REGISTER"]) == []
    to_a = [text for text in registrar.heard if not text.is_request]
    to_b = [text for text in registrar.heard if text.is_request and text is not registered]
    check_tells_nothing(to_a, replace(carrier.b, hosts=carrier.b.hosts[1:]))  # the registrar's is A's as well
    check_tells_nothing(to_b, carrier.a)
