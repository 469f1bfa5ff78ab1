"""The filters, run by the kernel on real sockets."""

import socket
import struct
from collections.abc import Iterator

import pytest

from maskline.engine.media_filters import (
    BANNED_MAX,
    DROP_ALL,
    Program,
    discard_queued,
    local_port,
    rtp_program,
    source_program,
)
from maskline.engine.media_types import NETWORKS_MAX

PLAIN = b"\x80\x00" + bytes(10)


class Ear:
    """A receiving socket with a filter, and a way to see what it lets in."""

    def __init__(self, address: str) -> None:
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.settimeout(0)

    def takes(self, data: bytes, source: str, port: int = 0) -> bool:
        """Send from an address; on loopback the datagram is queued (or dropped) when sendto returns."""
        with socket.socket(self.family, socket.SOCK_DGRAM) as sender:
            sender.bind((source, port))
            sender.sendto(data, self.socket.getsockname())
        try:
            return self.socket.recv(4096) == data
        except BlockingIOError:
            return False


@pytest.fixture
def ear() -> Iterator[Ear]:
    """An IPv4 receiver."""
    made = Ear("127.0.0.1")
    yield made
    made.socket.close()


@pytest.mark.parametrize(
    ("data", "is_taken"),
    [
        (PLAIN, True),
        (PLAIN + b"payload", True),
        (b"\x80\x80" + bytes(10), True),  # marker
        (b"\x80\x65" + bytes(10), True),  # telephone-event
        (b"\x80\xe5" + bytes(10), True),  # telephone-event, marker
        (b"\x80\xff" + bytes(10), True),
        (b"\xa0\x00" + bytes(9) + b"\x01", True),  # padding
        (b"\x80\x00" + bytes(9), False),  # too short
        (b"", False),
        (b"\x00\x01" + bytes(18), False),  # STUN
        (b"\x40\x00" + bytes(10), False),
        (b"\xc0\x00" + bytes(10), False),
        (b"\x90\x00" + bytes(14), False),  # extension
        (b"\x81\x00" + bytes(14), False),  # a contributing source
        (b"\x8f\x00" + bytes(70), False),
        *((bytes([0x80, kind]) + bytes(18), False) for kind in (192, 200, 201, 202, 203, 204, 205, 207, 223)),
        (b"\x80\xbf" + bytes(10), True),
        (b"\x80\xe0" + bytes(10), True),
        (b"hello world, this is text", False),
    ],
)
def test_what_counts_as_plain_rtp(ear: Ear, data: bytes, *, is_taken: bool) -> None:
    """Only RTP version 2 without extension and source list gets in, and no RTCP."""
    rtp_program(("127.0.0.0/8",)).attach(ear.socket.fileno())
    assert ear.takes(data, "127.0.0.1") is is_taken


@pytest.mark.parametrize(
    ("networks", "source", "is_taken"),
    [
        (("127.0.0.11/32",), "127.0.0.11", True),
        (("127.0.0.11",), "127.0.0.11", True),
        (("127.0.0.11/32",), "127.0.0.12", False),
        (("127.0.4.0/22",), "127.0.7.255", True),
        (("127.0.4.0/22",), "127.0.8.0", False),
        (("10.0.0.0/8", "127.9.0.0/16"), "127.9.1.2", True),
        (("10.0.0.0/8", "127.9.0.0/16"), "127.8.1.2", False),
        (("0.0.0.0/0",), "127.1.2.3", True),
        ((), "127.0.0.1", False),
        ((*(f"10.{n}.0.0/16" for n in range(NETWORKS_MAX - 1)), "127.0.0.9"), "127.0.0.9", True),
        (tuple(f"10.{n}.0.0/16" for n in range(NETWORKS_MAX)), "127.0.0.9", False),
    ],
)
def test_sources(ear: Ear, networks: tuple[str, ...], source: str, *, is_taken: bool) -> None:
    """A datagram gets in from the networks named and from nowhere else."""
    rtp_program(networks).attach(ear.socket.fileno())
    assert ear.takes(PLAIN, source) is is_taken


@pytest.mark.parametrize(
    ("networks", "is_taken"),
    [
        (("::1/128",), True),
        (("::/64",), True),
        (("::/127",), True),
        (("::2/128",), False),
        (("2001:db8::/32", "fe80::/10"), False),
        (("2001:db8::/32", "::1"), True),
        (("::/0",), True),
    ],
)
def test_sources_ipv6(networks: tuple[str, ...], *, is_taken: bool) -> None:
    """The same on IPv6, with prefixes inside and across words."""
    ear = Ear("::1")
    rtp_program(networks).attach(ear.socket.fileno())
    taken = ear.takes(PLAIN, "::1")
    ear.socket.close()
    assert taken is is_taken


def test_banned_endpoints(ear: Ear) -> None:
    """An endpoint that is banned stays out although its network is let in; its neighbours get in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.11", 0))
        port = probe.getsockname()[1]
    others = tuple(("127.0.0.11", 2000 + number) for number in range(BANNED_MAX - 1))
    rtp_program(("127.0.0.11", "127.0.0.12"), (*others, ("127.0.0.11", port))).attach(ear.socket.fileno())
    assert not ear.takes(PLAIN, "127.0.0.11", port)
    assert ear.takes(PLAIN, "127.0.0.12", port)
    assert ear.takes(PLAIN, "127.0.0.11")
    assert not ear.takes(PLAIN, "127.0.0.13")


def test_banned_endpoints_ipv6() -> None:
    """The same on IPv6."""
    ear = Ear("::1")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        port = probe.getsockname()[1]
    rtp_program(("::/0",), (("::1", port),)).attach(ear.socket.fileno())
    is_banned_taken, is_other_taken = ear.takes(PLAIN, "::1", port), ear.takes(PLAIN, "::1")
    ear.socket.close()
    assert (is_banned_taken, is_other_taken) == (False, True)


def test_drop_all_and_replacement(ear: Ear) -> None:
    """A filter replaces the one before."""
    DROP_ALL.attach(ear.socket.fileno())
    assert not ear.takes(PLAIN, "127.0.0.1")
    source_program(("127.0.0.1",)).attach(ear.socket.fileno())
    assert ear.takes(b"?", "127.0.0.1")
    assert not ear.takes(b"?", "127.0.0.2")


def test_limits() -> None:
    """More networks or endpoints than a program may hold are refused before the kernel sees them."""
    with pytest.raises(ValueError, match="too many"):
        rtp_program(("127.0.0.1",) * (NETWORKS_MAX + 1))
    with pytest.raises(ValueError, match="too many"):
        rtp_program(("127.0.0.1",), (("127.0.0.1", 1),) * (BANNED_MAX + 1))
    program = rtp_program(("2001:db8::1",) * NETWORKS_MAX, (("2001:db8::1", 1),) * BANNED_MAX)
    assert program.step_count < 4096


def test_attach_reports_failure() -> None:
    """A descriptor that is no socket is an error, not silence."""
    with open("/dev/null", "rb") as nothing, pytest.raises(OSError, match="socket"):
        DROP_ALL.attach(nothing.fileno())


def test_discard_queued(ear: Ear) -> None:
    """What came before the filter is thrown away and counted."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(b"x", ear.socket.getsockname())
    assert discard_queued(ear.socket.fileno()) == 5
    assert discard_queued(ear.socket.fileno()) == 0


def test_local_port(ear: Ear) -> None:
    """A bound socket has its port, anything else none."""
    assert local_port(ear.socket.fileno()) == ear.socket.getsockname()[1]
    six = Ear("::1")
    assert local_port(six.socket.fileno()) == six.socket.getsockname()[1]
    six.socket.close()
    with open("/dev/null", "rb") as nothing:
        assert local_port(nothing.fileno()) is None
    with socket.socket(socket.AF_UNIX) as other:
        assert local_port(other.fileno()) is None


def test_program_layout() -> None:
    """A program is handed over as count and address, as the kernel's sock_fprog."""
    program = Program([(0x06, 0, 0, 0)])
    count, address = struct.unpack("HL", program._descriptor)
    assert (count, address != 0) == (1, True)
