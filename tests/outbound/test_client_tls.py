import ssl
from pathlib import Path

import pytest

from maskline.outbound.client import OutboundClient, trust_public_authorities
from maskline.outbound.types import FailureReason, OutboundFailed
from tests.outbound.rig import LIMITS, LOOPBACK, SHORT, make_tls, resolving, serve


async def _get(client: OutboundClient, url: str, limits: object = LIMITS) -> int:
    answer = await client.request("GET", url, headers={}, body=None, limits=limits)  # type: ignore[arg-type]
    return answer.status


def _client(trust: ssl.SSLContext | None) -> OutboundClient:
    return OutboundClient(allowed_networks=LOOPBACK, resolver=resolving("127.0.0.1"), tls=trust)


async def test_name_is_checked_and_announced_while_the_address_is_pinned(tmp_path: Path) -> None:
    """The connection goes to the judged address; certificate and SNI are those of the name."""
    server, trust = make_tls(tmp_path, "hooks.example")
    announced: list[str | None] = []
    server.sni_callback = lambda _, name, __: announced.append(name)
    async with serve(tls=server) as peer, _client(trust) as client:
        assert await _get(client, f"https://hooks.example:{peer.port}/") == 200
        assert await _get(client, f"https://HOOKS.example.:{peer.port}/") == 200
    assert announced == ["hooks.example"]
    assert peer.requests[0].split(b"\r\n")[1] == f"Host: hooks.example:{peer.port}".encode()


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1", "a.hooks.example"])
async def test_certificate_for_another_name_is_refused(tmp_path: Path, host: str) -> None:
    """A certificate of the right issuer for the wrong name ends the connection before anything is sent."""
    server, trust = make_tls(tmp_path, "hooks.example")
    async with serve(tls=server) as peer, _client(trust) as client:
        with pytest.raises(OutboundFailed) as caught:
            await _get(client, f"https://{host}:{peer.port}/")
    assert caught.value.reason is FailureReason.TLS
    assert peer.requests == []


async def test_certificate_of_an_unknown_issuer_is_refused(tmp_path: Path) -> None:
    """Only issuers that are trusted count."""
    server, _ = make_tls(tmp_path, "hooks.example")
    async with serve(tls=server) as peer, _client(None) as client:
        with pytest.raises(OutboundFailed) as caught:
            await _get(client, f"https://hooks.example:{peer.port}/")
    assert caught.value.reason is FailureReason.TLS
    assert peer.requests == []


async def test_server_without_tls_is_a_failure_of_tls(tmp_path: Path) -> None:
    """An https URL never falls back to plain text."""
    _, trust = make_tls(tmp_path, "hooks.example")
    async with serve(b"HTTP/1.1 200 OK\r\n\r\n") as peer, _client(trust) as client:
        with pytest.raises(OutboundFailed) as caught:
            await _get(client, f"https://hooks.example:{peer.port}/", SHORT)
    assert caught.value.reason in (FailureReason.TLS, FailureReason.TIMEOUT)
    assert all(b"HTTP/1.1" not in request for request in peer.requests)


async def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    """TLS 1.2 is the oldest that is spoken."""
    server, trust = make_tls(tmp_path, "hooks.example")
    assert trust_public_authorities().minimum_version >= ssl.TLSVersion.TLSv1_2
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    async with serve(tls=server) as peer, _client(trust) as client:
        assert await _get(client, f"https://hooks.example:{peer.port}/") == 200
