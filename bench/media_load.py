"""G.711 calls over a relay, sent and received by one process: `python -m bench.media_load`.

Both sides of every call are two sockets of this process. It prints their ports, then takes one JSON line a
measurement (`LoadPlan`) and answers one line (`Measured`). A packet carries the moment it was handed to the kernel,
and the kernel notes the moment it arrived, so a load that is slow to listen does not look like a slow relay.
Packets of one millisecond leave in one system call for each side, and calls are spread over the 20 ms of a packet.
The kernel's batch calls are reached by `ctypes`, packets are laid out by `numpy`: 800 calls take half a core.
"""

import ctypes
import json
import os
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.process import read_usage

PTIME_S, SLOTS = 0.020, 20  # a slot is one millisecond: what leaves together
SLOT_S = PTIME_S / SLOTS
PAYLOAD_BYTES = 160
BATCH = 256  # packets taken by one system call
DRAIN_S = (
    1.0  # longer than the delay of a relay that has fallen behind: what comes later is lost to a listener
)
WARM_UP_S = 1.0
BUFFER_BYTES = 16 * 1024 * 1024
SO_RCVBUFFORCE, SO_TIMESTAMPNS, SO_MEMINFO, MEMINFO_DROPS = 33, 35, 55, 8
ADDRESSES = ("127.0.0.2", "127.0.0.3")

_PACKET = np.dtype(
    [
        ("first", "u1"),
        ("second", "u1"),
        ("sequence", ">u2"),
        ("timestamp", ">u4"),
        ("source", ">u4"),
        ("sent_ns", "<i8"),
        ("rest", "V", PAYLOAD_BYTES - 8),
    ]
)
_MESSAGE = np.dtype(  # struct mmsghdr of 64-bit Linux
    [
        ("name", "<u8"),
        ("name_bytes", "<u8"),
        ("pieces", "<u8"),
        ("piece_count", "<u8"),
        ("control", "<u8"),
        ("control_bytes", "<u8"),
        ("flags", "<u8"),
        ("received_bytes", "<u8"),
    ]
)
_PIECE = np.dtype([("start", "<u8"), ("bytes", "<u8")])
_ARRIVAL = np.dtype(
    [("header", "V16"), ("seconds", "<i8"), ("nanoseconds", "<i8")]
)  # struct cmsghdr, timespec
_ADDRESS = np.dtype([("family", "<u2"), ("port", ">u2"), ("host", "V4"), ("zero", "V8")])

_libc = ctypes.CDLL(None, use_errno=True)
_sendmmsg = _libc.sendmmsg
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One measurement: the relay's ports for each side of each call, its process, and for how long."""

    ports_a: tuple[int, ...]
    ports_b: tuple[int, ...]
    relay_pid: int
    run_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of it. `load_late_ms` is how far the load itself fell behind; `load_dropped` what it could not take."""

    sent: int
    lost: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    relay_cpu: float
    load_cpu: float
    load_late_ms: float
    load_dropped: int


class Batch:
    """Packets, and how they are described to the kernel's batch calls; both live as long as this object."""

    def __init__(self, count: int, ports: tuple[int, ...] | None = None) -> None:
        self.packets = np.zeros(count, _PACKET)
        self._pieces = np.zeros(count, _PIECE)
        self._pieces["start"] = self.packets.ctypes.data + np.arange(count) * _PACKET.itemsize
        self._pieces["bytes"] = _PACKET.itemsize
        self._messages = np.zeros(count, _MESSAGE)
        self._messages["pieces"] = self._pieces.ctypes.data + np.arange(count) * _PIECE.itemsize
        self._messages["piece_count"] = 1
        self.arrivals = np.zeros(count, _ARRIVAL)
        if ports is None:
            self._messages["control"] = self.arrivals.ctypes.data + np.arange(count) * _ARRIVAL.itemsize
        else:
            self._addresses = np.zeros(count, _ADDRESS)
            self._addresses["family"] = socket.AF_INET
            self._addresses["port"] = ports
            self._addresses["host"] = np.void(socket.inet_aton("127.0.0.1"))
            self._messages["name"] = self._addresses.ctypes.data + np.arange(count) * _ADDRESS.itemsize
            self._messages["name_bytes"] = _ADDRESS.itemsize
        self._at: int = self._messages.ctypes.data

    def send(self, fd: int, start: int, end: int) -> None:
        """Hand some of the packets to the kernel."""
        while start < end:
            count = _sendmmsg(fd, self._at + start * _MESSAGE.itemsize, end - start, 0)
            if count < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            start += count

    def receive(self, fd: int) -> int:
        """Fill with what has arrived; return how many."""
        self._messages["control_bytes"] = _ARRIVAL.itemsize
        return max(int(_recvmmsg(fd, self._at, len(self.packets), socket.MSG_DONTWAIT, None)), 0)


class Side:
    """One socket, and the packets that leave it in turn."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((address, 0))
        self.port: int = self.socket.getsockname()[1]
        self._fd = self.socket.fileno()
        self._incoming = Batch(BATCH)
        self._outgoing = Batch(0)
        self._bounds = [0] * (SLOTS + 1)

    def call(self, ports: tuple[int, ...]) -> None:
        """Send to these ports from now on."""
        count = len(ports)
        self._outgoing = Batch(count, ports)
        self._outgoing.packets["first"] = 0x80
        self._outgoing.packets["source"] = np.arange(count) + 1
        self._bounds = [count * slot // SLOTS for slot in range(SLOTS + 1)]

    def send(self, slot: int) -> int:
        """Send the next packet of every call of a slot; return how many."""
        start, end = self._bounds[slot], self._bounds[slot + 1]
        rows = self._outgoing.packets[start:end]
        rows["sequence"] += 1
        rows["timestamp"] += PAYLOAD_BYTES
        rows["sent_ns"] = time.time_ns()
        self._outgoing.send(self._fd, start, end)
        return end - start

    def receive(self, into: "Moments") -> None:
        """Note all that has arrived."""
        while (count := self._incoming.receive(self._fd)) > 0:
            arrivals = self._incoming.arrivals[:count]
            arrived_ns = arrivals["seconds"] * 1_000_000_000 + arrivals["nanoseconds"]
            into.note(self._incoming.packets["sent_ns"][:count], arrived_ns)
            if count < BATCH:
                return

    def dropped_count(self) -> int:
        """Packets the kernel threw away because this process did not take them in time."""
        info = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (MEMINFO_DROPS + 1))
        return int(struct.unpack_from("=I", info, 4 * MEMINFO_DROPS)[0])


class Moments:
    """When each packet was sent and when it arrived."""

    def __init__(self, size: int) -> None:
        self._sent_ns, self._arrived_ns = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._count = 0

    def note(self, sent_ns: "np.ndarray[Any, Any]", arrived_ns: "np.ndarray[Any, Any]") -> None:
        """Add packets; what is doubled beyond reason is left out."""
        room = slice(self._count, self._count + len(sent_ns))
        taken = len(self._sent_ns[room])
        self._sent_ns[room] = sent_ns[:taken]
        self._arrived_ns[room] = arrived_ns[:taken]
        self._count += taken

    def delays_ms(self, *, since_ns: int) -> "np.ndarray[Any, Any]":
        """Return the delays of packets sent since a moment."""
        sent_ns = self._sent_ns[: self._count]
        delays = self._arrived_ns[: self._count] - sent_ns
        return delays[sent_ns >= since_ns] / 1e6


def measure(sides: tuple[Side, Side], plan: LoadPlan) -> Measured:
    """Warm up, then send and receive for the time of the plan."""
    a, b = sides
    a.call(plan.ports_a)
    b.call(plan.ports_b)
    warm_slots, run_slots = round(WARM_UP_S / SLOT_S), round(plan.run_s / SLOT_S)
    packet_count = (len(plan.ports_a) + len(plan.ports_b)) * (warm_slots + run_slots) // SLOTS
    moments = Moments(packet_count + packet_count // 8 + BATCH)
    dropped_before = sum(side.dropped_count() for side in sides)
    started = begun = time.monotonic()
    since_ns = sent = 0
    late_s = relay_cpu_s = load_cpu_s = 0.0
    for slot in range(warm_slots + run_slots):
        if slot == warm_slots:
            since_ns, begun = time.time_ns(), time.monotonic()
            relay_cpu_s, load_cpu_s = read_usage(plan.relay_pid).cpu_s, time.process_time()
        count = a.send(slot % SLOTS) + b.send((slot + SLOTS // 2) % SLOTS)
        due = started + (slot + 1) * SLOT_S
        _receive_until(sides, due, moments)
        if since_ns:
            sent += count
            late_s = max(late_s, time.monotonic() - due)
    elapsed_s = time.monotonic() - begun
    relay_cpu_s = read_usage(plan.relay_pid).cpu_s - relay_cpu_s
    load_cpu_s = time.process_time() - load_cpu_s
    _receive_until(sides, time.monotonic() + DRAIN_S, moments)
    delays_ms = moments.delays_ms(since_ns=since_ns)
    p50_ms, p99_ms, max_ms = np.percentile(delays_ms, (50, 99, 100)) if len(delays_ms) else (0.0, 0.0, 0.0)
    return Measured(
        sent=sent,
        lost=sent - len(delays_ms),
        p50_ms=float(p50_ms),
        p99_ms=float(p99_ms),
        max_ms=float(max_ms),
        relay_cpu=relay_cpu_s / elapsed_s,
        load_cpu=load_cpu_s / elapsed_s,
        load_late_ms=late_s * 1000,
        load_dropped=sum(side.dropped_count() for side in sides) - dropped_before,
    )


def _receive_until(sides: tuple[Side, Side], due: float, moments: Moments) -> None:
    """Take what arrives until a moment; at least once, so that a load that is late still listens."""
    sockets = [side.socket for side in sides]
    while True:
        for side in sides:
            side.receive(moments)
        left_s = due - time.monotonic()
        if left_s <= 0:
            return
        select.select(sockets, (), (), left_s)


def main() -> None:
    """Answer plans until the input ends."""
    sides = (Side(ADDRESSES[0]), Side(ADDRESSES[1]))
    print(json.dumps([side.port for side in sides]), flush=True)
    for line in sys.stdin:
        print(json.dumps(asdict(measure(sides, LoadPlan(**json.loads(line))))), flush=True)


if __name__ == "__main__":
    main()
