from maskline.outbound.connection import Connection
from maskline.outbound.policy import Target, parse_target
from maskline.outbound.pool import IDLE_CONNECTIONS_MAX, IDLE_S, ConnectionPool
from maskline.outbound.wire import Wire
from tests.outbound.rig import AnsweringTransport


class Rig:
    """A pool with a clock of the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pool = ConnectionPool(lambda: self.now)

    def free(self, target: Target) -> tuple[Connection, AnsweringTransport, Wire]:
        """Give a connection to the pool."""
        wire = Wire()
        transport = AnsweringTransport(wire)
        wire.connection_made(transport)
        connection = Connection(wire)
        self.pool.give_back(target, connection)
        return connection, transport, wire


def _target(url: str) -> Target:
    target = parse_target(url)
    assert isinstance(target, Target)
    return target


A = _target("http://a.example/")


async def test_connection_used_last_goes_first() -> None:
    """The freshest connection is the one least likely to be closed by the peer."""
    rig = Rig()
    first, _, _ = rig.free(A)
    second, _, _ = rig.free(A)
    assert [rig.pool.take(A) for _ in range(3)] == [second, first, None]


async def test_connections_serve_only_the_place_they_were_made_for() -> None:
    """Scheme, host and port count; the path does not."""
    rig = Rig()
    connection, _, _ = rig.free(A)
    for url in ("https://a.example/", "http://b.example/", "http://a.example:81/", "https://a.example:80/"):
        assert rig.pool.take(_target(url)) is None
    assert rig.pool.take(_target("http://A.example:80/other?path")) is connection


async def test_connections_are_not_kept_for_long() -> None:
    """After half a minute a name is looked up and judged anew."""
    rig = Rig()
    _, transport, _ = rig.free(A)
    rig.now += IDLE_S
    assert rig.pool.take(A) is None
    assert transport.is_aborted


async def test_few_connections_are_kept() -> None:
    """Beyond the bound the longest free is closed."""
    rig = Rig()
    made = [rig.free(_target(f"http://h{n}.example/")) for n in range(IDLE_CONNECTIONS_MAX + 2)]
    assert [transport.is_aborted for _, transport, _ in made] == [True, True, *[False] * IDLE_CONNECTIONS_MAX]
    assert rig.pool.take(_target("http://h1.example/")) is None
    assert rig.pool.take(_target("http://h2.example/")) is made[2][0]


async def test_connection_that_ended_is_not_given_out() -> None:
    """A peer that hung up, or spoke out of turn, is not asked again on that connection."""
    rig = Rig()
    _, _, ended = rig.free(A)
    _, _, talking = rig.free(A)
    ended.connection_lost(None)
    talking.data_received(b"HTTP/1.1 200 OK\r\n")
    assert rig.pool.take(A) is None


async def test_closing_closes_all() -> None:
    """Nothing stays open."""
    rig = Rig()
    transports = [rig.free(A)[1] for _ in range(3)]
    rig.pool.close()
    assert all(transport.is_aborted for transport in transports)
    assert rig.pool.take(A) is None
