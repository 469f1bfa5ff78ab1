"""One call on the ground: sipp as the carrier at both ends, and what each end may have learnt."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.ground import Carrier, Ground
from tests.interop.listener import Listener, render_request
from tests.interop.secrets_of import Party
from tests.interop.sipp import Sipp, start_sipp
from tests.interop.wire import SIPText, not_allowed

SETTLE_S = 0.15  # a look-up and a claim take a few milliseconds; silence has no event to wait for


@dataclass(slots=True)
class Stage:
    """The sipps of one test. `b_calls` swaps the subscribers: then the second party of the session dials."""

    ground: Ground
    carrier: Carrier
    directory: Path
    running: list[Sipp] = field(default_factory=list)
    is_swapped: bool = False

    @property
    def caller(self) -> Party:
        """Who dials. The addresses stay where calls come from, whoever calls."""
        return self._party("a")

    @property
    def callee(self) -> Party:
        """Who is dialled."""
        return self._party("b")

    def _party(self, side: str) -> Party:
        a, b = self.carrier.a, self.carrier.b
        mine, other = (a, b) if side == "a" else (b, a)
        return Party(side=side, number=other.number if self.is_swapped else mine.number, hosts=mine.hosts)

    def uas(
        self,
        scenario: str,
        *,
        values: Mapping[str, str] | None = None,
        local: tuple[str, int] | None = None,
        mine: str = "",
        **options: object,
    ) -> Sipp:
        """Start the callee's end; it is listening when this returns."""
        party = self.callee
        return self._start(
            scenario,
            local=local or self.carrier.uas,
            keys={"mine": mine or party.number, "identity": party.identity},
            values=values or {},
            is_server=True,
            **{"media_host": party.hosts[1], **options},
        )

    def uac(
        self,
        scenario: str,
        *,
        values: Mapping[str, str] | None = None,
        dialled: str = "",
        caller: str = "",
        local: tuple[str, int] | None = None,
        **options: object,
    ) -> Sipp:
        """Start the caller's end."""
        party = self.caller
        return self._start(
            scenario,
            local=local or self.carrier.uac,
            keys={
                "mine": caller or party.number,
                "dialled": dialled or self.carrier.virtual,
                "identity": party.identity,
                "cid": "qzalpha%u-%p@%s",
            },
            values=values or {},
            media_host=party.hosts[1],
            **options,
        )

    def _start(self, scenario: str, **options: object) -> Sipp:
        options.setdefault("transport", self.carrier.transport)
        options.setdefault("remote", self.ground.address)
        sipp = start_sipp(scenario, directory=self.directory, **options)  # type: ignore[arg-type]
        self.running.append(sipp)
        return sipp

    @contextmanager
    def listener(self, address: tuple[str, int]) -> Iterator[Listener]:
        """A bare UDP socket at an address of a carrier, or of a stranger."""
        with Listener.open(address, self.ground.address) as listener:
            yield listener

    def wait_until_passed(self) -> None:
        """Wait until the switch has dealt with what was sent before, look-ups in its database included."""
        with self.listener((self.carrier.host(151), 5060)) as prober:
            for _ in range(2):
                prober.send(render_request("OPTIONS", prober.address, self.ground.address))
                assert prober.wait_for(1, 2.0)[-1].startswith(b"SIP/2.0 200 ")
                time.sleep(SETTLE_S)

    def close(self) -> None:
        """End what still runs."""
        for sipp in self.running:
            sipp.stop()

    # --- what must hold of every call -----------------------------------------------------------------------

    def check_masked(self, uac: Sipp, uas: Sipp) -> None:
        """Nothing that either end was sent is off the list, or tells anything of the other end."""
        to_a, to_b = uac.received(), uas.received()
        assert not_allowed([*to_a, *to_b]) == []
        check_tells_nothing(to_b, self.caller)
        check_tells_nothing(to_a, self.callee)
        for messages, other in ((to_b, uac), (to_a, uas)):
            words = frozenset[str]().union(*(text.dialog_words for _, text in other.trace())) - {""}
            shared = [
                (text.start_line, word) for text in messages for word in words if word.encode() in text.raw
            ]
            assert shared == []
        for message in to_b:
            if message.is_request and message.start_line.startswith("INVITE"):
                self._check_presented(message)

    def _check_presented(self, invite: SIPText) -> None:
        virtual = self.carrier.virtual
        for name in ("From", "P-Asserted-Identity"):
            if invite.has(name):
                assert f"sip:{virtual}@" in invite.header(name), invite.header(name)
        own = self.callee.number
        assert invite.start_line.startswith((f"INVITE sip:{own}@", "INVITE sip:")), invite.start_line


def check_tells_nothing(messages: list[SIPText], of: Party) -> None:
    """No message holds a secret of this party."""
    leaks = [(text.start_line, found) for text in messages for found in of.find_in(text.raw)]
    assert leaks == []
