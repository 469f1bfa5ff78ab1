"""Kernel filters for the relay's UDP sockets: what does not belong to a call never reaches the engine.

Classic BPF, run by the kernel on each datagram of one socket. Offsets count from the UDP header (source port
at 0, payload at 8); `_IP` is added to reach into the IP header. A program that is attached replaces the earlier
one in one step, so there is no moment without a filter.

An RTP socket takes RTP version 2 without header extension and without contributing sources: both may name a
device or a person, and we negotiate neither. The mask that checks the version checks them too, at no cost. The
price: a party that sends them although it was offered none (a conference mixer that lists its sources) is not
heard.

Source: RFC 3550 section 5.1, RFC 5761 section 4, socket(7) SO_ATTACH_FILTER.
"""

import ctypes
import ipaddress
import os
import struct
from functools import lru_cache
from typing import Final

from maskline.engine.media_types import NETWORKS_MAX

BANNED_MAX: Final = 4

_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD, _LOAD_LENGTH = 0x30, 0x28, 0x20, 0x80
_AND, _JUMP, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x54, 0x05, 0x15, 0x35, 0x06
_IP = 0xFFF00000
_SOURCE_OFFSET = {4: _IP + 12, 6: _IP + 8}
_KEEP, _DROP = 0xFFFF, 0
_RTP_BYTES_MIN = 8 + 12  # UDP and RTP headers
_FIRST_BYTE_MASK = 0xDF  # version, extension, source count; padding may be set
_FIRST_BYTE = 0x80
_RTCP_TYPE_FIRST, _RTCP_TYPE_AFTER = 192, 224

_SOL_SOCKET, _SO_ATTACH_FILTER = 1, 26
_MSG_DONTWAIT = 0x40
_QUEUED_MAX = 4096  # datagrams thrown away from one new socket; its buffer holds fewer

_libc = ctypes.CDLL(None, use_errno=True)
_libc.setsockopt.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_libc.recv.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_libc.recv.restype = ctypes.c_ssize_t
_libc.getsockname.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
_scratch = ctypes.create_string_buffer(128)
_scratch_size = struct.pack("I", 128)
_size = ctypes.create_string_buffer(_scratch_size, 4)

_Step = tuple[int, int, int, int]  # code, steps to skip if true, if false, operand
Endpoint = tuple[str, int]


class Program:
    """A filter in the kernel's form; owns the memory the kernel reads while attaching."""

    __slots__ = ("_descriptor", "_steps", "step_count")

    def __init__(self, steps: list[_Step]) -> None:
        raw = b"".join(struct.pack("HBBI", *step) for step in steps)
        self.step_count = len(steps)
        self._steps = ctypes.create_string_buffer(raw, len(raw))
        self._descriptor = struct.pack("HL", len(steps), ctypes.addressof(self._steps))

    def attach(self, fd: int) -> None:
        """Put the filter on a socket. Raises OSError."""
        if _libc.setsockopt(fd, _SOL_SOCKET, _SO_ATTACH_FILTER, self._descriptor, len(self._descriptor)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


@lru_cache(maxsize=4096)
def _source_is(network: str) -> tuple[_Step, ...]:
    """Steps that go on with the next step if the source lies in `network`, else with the one after it."""
    parsed = ipaddress.ip_network(network)
    words: list[_Step] = []
    tests: list[int] = []
    for start in range(0, len(parsed.netmask.packed), 4):
        (mask,) = struct.unpack_from("!I", parsed.netmask.packed, start)
        (value,) = struct.unpack_from("!I", parsed.network_address.packed, start)
        if mask == 0:
            break
        words.append((_LOAD_WORD, 0, 0, _SOURCE_OFFSET[parsed.version] + start))
        if mask != 0xFFFFFFFF:
            words.append((_AND, 0, 0, mask))
        tests.append(len(words))
        words.append((_IF_EQUAL, 0, 0, value))
    end = len(words) + 1
    for index in tests:
        code, _, _, value = words[index]
        words[index] = (code, 0, end - index - 1, value)
    return tuple(words)


def _rtp_only() -> list[_Step]:
    """Steps that drop what is not plain RTP and fall through with the rest."""
    return [
        (_LOAD_LENGTH, 0, 0, 0),
        (_IF_AT_LEAST, 0, 7, _RTP_BYTES_MIN),
        (_LOAD_BYTE, 0, 0, 8),
        (_AND, 0, 0, _FIRST_BYTE_MASK),
        (_IF_EQUAL, 0, 4, _FIRST_BYTE),
        (_LOAD_BYTE, 0, 0, 9),
        (_IF_AT_LEAST, 0, 1, _RTCP_TYPE_FIRST),
        (_IF_AT_LEAST, 0, 1, _RTCP_TYPE_AFTER),
        (_JUMP, 0, 0, 1),
        (_RETURN, 0, 0, _DROP),
    ]


def _only_sources(networks: tuple[str, ...]) -> list[_Step]:
    steps: list[_Step] = []
    for network in networks:
        steps += [*_source_is(network), (_RETURN, 0, 0, _KEEP)]
    return [*steps, (_RETURN, 0, 0, _DROP)]


def _no_source(endpoint: Endpoint) -> list[_Step]:
    address, port = endpoint
    return [
        *_source_is(address),  # no match: lands behind the next step
        (_JUMP, 0, 0, 1),
        (_JUMP, 0, 0, 3),
        (_LOAD_HALF, 0, 0, 0),
        (_IF_EQUAL, 0, 1, port),
        (_RETURN, 0, 0, _DROP),
    ]


DROP_ALL: Final = Program([(_RETURN, 0, 0, _DROP)])


@lru_cache(maxsize=4096)
def rtp_program(networks: tuple[str, ...], banned: tuple[Endpoint, ...] = ()) -> Program:
    """Take plain RTP from `networks` (CIDR or addresses, one IP version), except from `banned` endpoints."""
    if len(networks) > NETWORKS_MAX or len(banned) > BANNED_MAX:
        raise ValueError("too many networks or endpoints")
    steps = _rtp_only()
    for endpoint in banned:
        steps += _no_source(endpoint)
    return Program(steps + _only_sources(networks))


@lru_cache(maxsize=16)
def source_program(networks: tuple[str, ...]) -> Program:
    """Take anything from `networks`, nothing from elsewhere."""
    return Program(_only_sources(networks))


def discard_queued(fd: int) -> int:
    """Throw away what arrived before the filter; return how many datagrams."""
    for count in range(_QUEUED_MAX):
        if _libc.recv(fd, _scratch, 1, _MSG_DONTWAIT) < 0:
            return count
    return _QUEUED_MAX


def local_port(fd: int) -> int | None:
    """Return the port a descriptor is bound to; None if it is no bound IP socket."""
    _size.raw = _scratch_size
    if _libc.getsockname(fd, _scratch, _size):
        return None
    family, port = struct.unpack_from("=H", _scratch)[0], struct.unpack_from("!H", _scratch, 2)[0]
    return port if family in {2, 10} else None
