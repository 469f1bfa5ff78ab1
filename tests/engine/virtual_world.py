"""Two scripted phones behind a carrier, and a switch between them, on the virtual network."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, TrunkSettings
from maskline.core.masking import MaskingSession, NewMaskingSession, SessionCreated
from maskline.core.numbers import DID, E164
from maskline.engine.switch_settings import SwitchLimits
from maskline.sip import events as sip
from maskline.sip.events import Flow, LegID
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import OutgoingInvite, UserAgentSettings
from maskline.store.engine import Store
from maskline.store.setup import init_database, open_store
from maskline.testing.network import Address, Impairment, VirtualNetwork
from maskline.testing.virtual_switch import VirtualSwitch
from maskline.workflows.accounts import AccountExists, create_account
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.numbers import add_numbers
from maskline.workflows.trunks import TrunkExists, add_trunk, change_trunk, load_trunks

EPOCH_US = 1_800_000_000_000_000
SWITCH: Address = ("192.0.2.1", 5060)
CARRIER = "198.51.100.7"  # the trunk's address; both phones speak through it
VIRTUAL = DID("+912249370001")
LONG_S = 120.0  # longer than any timer of a call that has ended

SDP = """v=0
o={user} 1 1 IN IP4 {host}
s={user} session
c=IN IP4 {host}
t=0 0
m=audio {port} RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a={direction}
""".replace("\n", "\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is behind a phone: everything the other side must not learn."""

    number: E164
    name: str
    media_host: str
    port: int  # the phone's SIP port at the carrier's address


ASHA = Person(number=E164("+919812300001"), name="Asha Rao", media_host="203.0.113.20", port=6001)
BILAL = Person(number=E164("+919812300002"), name="Bilal Khan", media_host="203.0.113.30", port=6002)


@dataclass(slots=True)
class VirtualPhone:
    """A user agent that follows a script for incoming calls and notes what happens."""

    network: VirtualNetwork
    person: Person
    seed: int
    on_invite: Callable[["VirtualPhone", LegID], None] = lambda phone, leg: phone.answer_after(leg, 0.5)
    events: list[sip.Event] = field(default_factory=list)
    legs: list[LegID] = field(default_factory=list)
    released: set[LegID] = field(default_factory=set)
    agent: UserAgent = field(init=False)

    def __post_init__(self) -> None:
        dice = Random(self.seed)
        settings = UserAgentSettings(
            advertised=self.address, extra_headers_allowed=True, product=self.person.name
        )
        self.agent = UserAgent(settings, random_bytes=dice.randbytes, is_trusted=lambda _: True)
        self.network.attach(self.agent, self.address, after=self._after)

    @property
    def address(self) -> Address:
        return CARRIER, self.person.port

    def sdp(self, direction: str = "sendrecv") -> bytes:
        text = SDP.format(
            user=self.person.name.split()[0], host=self.person.media_host, port=40_000, direction=direction
        )
        return text.encode()

    def dial(self, number: str = VIRTUAL, *, sdp: bytes | None = None, caller: str | None = None) -> LegID:
        user = self.person.number.reveal() if caller is None else caller
        invite = OutgoingInvite(
            flow=Flow("udp", self.address, SWITCH),
            request_uri=SIPURI(user=number, host=SWITCH[0]),
            from_uri=SIPURI(user=user, host=CARRIER),
            to_uri=SIPURI(user=number, host=SWITCH[0]),
            contact_user=user.lstrip("+"),
            from_display=self.person.name,
            sdp=self.sdp() if sdp is None else sdp,
            max_forwards=70,
            extra_headers=(("Subject", self.person.name), ("P-Preferred-Identity", f"<tel:{user}>")),
        )
        leg = self.agent.originate(invite, self.network.now)
        self.legs.append(leg)
        return leg

    def answer_after(self, leg: LegID, delay_s: float) -> None:
        self.agent.ring(leg, self.network.now)
        self.network.call_at(
            self.network.now + delay_s, lambda: self.agent.answer(leg, self.sdp(), self.network.now)
        )

    def seen(self, kind: type) -> list[sip.Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def _after(self, now: float) -> None:
        while (event := self.agent.next_event()) is not None:
            if isinstance(event, sip.Progressed) and event.status == 100:
                continue  # nothing a person notices
            self.events.append(event)
            match event:
                case sip.IncomingInvite(leg=leg):
                    self.legs.append(leg)
                    self.on_invite(self, leg)
                case sip.OfferReceived(leg=leg, sdp=sdp):
                    direction = "recvonly" if sdp is not None and b"a=sendonly" in sdp else "sendrecv"
                    self.agent.answer_offer(leg, self.sdp(direction), now)
                case sip.Released(leg=leg):
                    assert leg not in self.released
                    self.released.add(leg)
                case _:
                    pass


def make_store(directory: Path) -> Store:
    """A new SQLite database in `directory`."""
    url, key = f"sqlite:///{directory / 'maskline.db'}", directory / "maskline.key"
    init_database(url, key)
    return open_store(url, key)


def prepare(store: Store) -> Account:
    """One account, one trunk at the carrier, one virtual number."""
    account = store.run(create_account, NewAccount(name="acme"), EPOCH_US)
    assert not isinstance(account, AccountExists)
    trunk = store.run(
        add_trunk,
        TrunkSettings(
            name="carrier",
            targets=(Target(host=CARRIER, port=BILAL.port),),
            accept=(f"{CARRIER}/32",),
            has_health_check=False,
        ),
        EPOCH_US,
    )
    assert not isinstance(trunk, TrunkExists)
    new = NewNumbers(numbers=(VIRTUAL,), account_id=account.id, trunk_id=trunk.id)
    store.run(add_numbers, new, EPOCH_US)
    return account


class World:
    """Asha's and Bilal's phones at one carrier, a session between them, and the switch."""

    def __init__(
        self,
        store: Store,
        account: Account,
        *,
        seed: int = 0,
        impairment: Impairment | None = None,
        asha: Person = ASHA,
        bilal: Person = BILAL,
        session: NewMaskingSession | None = None,
        limits: SwitchLimits | None = None,
    ) -> None:
        self.network = VirtualNetwork(seed=seed, impairment=impairment or Impairment(delay_s_max=0.01))
        self.store, self.account = store, account
        created = store.run(
            create_masking_session,
            account,
            session or NewMaskingSession(first=asha.number, second=bilal.number),
            EPOCH_US,
        )
        assert isinstance(created, SessionCreated)
        self.session: MaskingSession = created.session
        self.node = VirtualSwitch(
            self.network, store, address=SWITCH, epoch_us=EPOCH_US, seed=seed, limits=limits
        )
        self.asha = VirtualPhone(self.network, asha, seed=seed + 1)
        self.bilal = VirtualPhone(self.network, bilal, seed=seed + 2)

    def at(self, second: float, action: Callable[[], object]) -> None:
        """Do something at a second of the network's clock."""

        def do() -> None:
            action()

        self.network.call_at(second, do)

    def add_dead_target(self, *, priority: int) -> None:
        """Give the trunk a target where nobody is."""
        (trunk,) = self.store.read(load_trunks)
        dead = Target(host="198.51.100.99", port=6009, priority=priority)
        assert self.store.run(change_trunk, replace(trunk, targets=(dead, *trunk.targets)))
        self.node.refresh_trunks()

    def delete_session(self) -> None:
        """What a DELETE does, now."""
        self.store.run(end_masking_session, self.account, self.session.id, self.node.runner.now_us())

    def run(self, seconds: float) -> None:
        self.network.run(until=self.network.now + seconds)

    def sent_to(self, phone: VirtualPhone) -> bytes:
        """Every byte the switch sent to a phone."""
        return b"".join(
            packet.data for packet in self.network.transcript if packet.flow.remote == phone.address
        )


def reasons(store: Store) -> list[str]:
    """Reasons of all call records, oldest first."""
    with sqlite3.connect(str(store.url.database)) as raw:
        rows = raw.execute("SELECT reason FROM call_record ORDER BY started_at").fetchall()
    return [row[0] for row in rows]


def live_call_count(store: Store) -> int:
    with sqlite3.connect(str(store.url.database)) as raw:
        count: int = raw.execute("SELECT count(*) FROM live_call").fetchone()[0]
    return count


def never_answer(phone: VirtualPhone, leg: LegID) -> None:
    phone.agent.ring(leg, phone.network.now)


def assert_nothing_is_left(world: World) -> None:
    """Every leg released, every relay closed, every session free, every transaction gone."""
    switch = world.node.switch
    assert switch.calls == {}
    assert switch.user_agent.leg_count == 0
    assert switch.user_agent.transaction_count == 0
    assert world.node.relay.sessions == {}
    assert live_call_count(world.store) == 0
