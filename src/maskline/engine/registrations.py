"""Keeps trunks registered with their carriers.

Each trunk that registers has a binding with its registrar, or with each of its targets. A binding is renewed before
it runs out, tried again later and later when it is refused, and taken back when the switch stops or the trunk no
longer asks for it. Nothing here waits: `tick` says what to send, `answered` takes what came of it.

Source: RFC 3261 section 10.2; RFC 5626 section 4.5 for the way waits grow.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from maskline.core.inventory import Target, Trunk
from maskline.core.targets import RETRY_AFTER_S_MAX, TargetAddress, healthy_first
from maskline.engine.trunk_requests import TrunkRequests
from maskline.engine.trunk_table import TrunkTable
from maskline.sip.digest import Credentials
from maskline.sip.events import RequestAnswered, RequestID
from maskline.sip.user_agent_types import OutgoingRequest

_log = structlog.get_logger(__name__)

RENEW_SHARE_MIN: Final = 0.8
RENEW_SHARE_MAX: Final = 0.9
"""When a binding is renewed, as a share of what was granted: late enough to cost little, early enough to try twice.

Chance spreads the trunks of a carrier, which would otherwise all come together for ever after a restart."""
RENEW_S_MIN: Final = 5.0
"""A registrar that grants a second or two does not get a request each second."""
RECHECK_S: Final = 5.0
"""When to look again whether there is somewhere to register."""
RETRY_S_MIN: Final = 30.0
RETRY_S_MAX: Final = 600.0
FIRST_S_MAX: Final = 2.0
"""Over how long the registrations of a start are spread."""
EXPIRES_S_MAX: Final = 86_400
"""What a 423 can make us ask for at most."""
SEQ_STEP: Final = 10
"""CSeq numbers set aside for one REGISTER and the challenges it meets."""


class RegistrationState(NamedTuple):
    """How one binding does, for people; `status` is the last refusal, 0 when there was none."""

    trunk: str
    registrar: str
    is_registered: bool
    status: int


Key = tuple[int, Target]


@dataclass(slots=True, eq=False)
class Binding:
    """What is known of one binding; its owner's alone to change."""

    trunk: Trunk
    registrar: Target
    credentials: Credentials
    call_id: str
    due_mono_s: float
    expires_s: int
    seq: int = 1
    address: TargetAddress | None = None
    request: RequestID | None = None
    registered_until_mono_s: float = 0.0
    failure_count: int = 0
    status: int = 0
    has_asked_longer: bool = False
    is_leaving: bool = False


class ToSend(NamedTuple):
    """A REGISTER that is due; `sent` is to be told its number."""

    binding: Binding
    request: OutgoingRequest


class Registrations:
    """The bindings of all trunks. `random` gives numbers from 0 to 1; instants are monotonic seconds."""

    def __init__(
        self,
        table: TrunkTable,
        requests: TrunkRequests,
        *,
        random: Callable[[], float],
        new_call_id: Callable[[], str],
    ) -> None:
        self._table = table
        self._requests = requests
        self._random = random
        self._new_call_id = new_call_id
        self._bindings: dict[Key, Binding] = {}
        self._leaving: list[Binding] = []
        self._asked: dict[RequestID, Binding] = {}
        self._is_stopping = False

    @property
    def is_busy(self) -> bool:
        """Whether answers are waited for."""
        return bool(self._asked)

    def is_registered(self, trunk_id: int, now: float) -> bool:
        """Whether a trunk has a binding that holds."""
        return any(
            binding.trunk.id == trunk_id and now < binding.registered_until_mono_s
            for binding in self._bindings.values()
        )

    def states(self, now: float) -> tuple[RegistrationState, ...]:
        """Tell how every binding does."""
        return tuple(
            RegistrationState(
                trunk=binding.trunk.name,
                registrar=binding.registrar.host,
                is_registered=now < binding.registered_until_mono_s,
                status=binding.status,
            )
            for binding in self._bindings.values()
        )

    def tick(self, now: float) -> list[ToSend]:
        """Return the REGISTERs that are due."""
        if not self._is_stopping:
            self._take_over(now)
        leaving, self._leaving = self._leaving, []
        due = [*leaving, *(each for each in self._bindings.values() if each.due_mono_s <= now)]
        return [
            ToSend(binding, request)
            for binding in due
            if binding.request is None and (request := self._request(binding, now)) is not None
        ]

    def stop(self) -> None:
        """Take every binding back, once; the next `tick` says so to the registrars."""
        self._is_stopping = True
        for key in tuple(self._bindings):
            self._leave(key)

    def sent(self, binding: Binding, request: RequestID) -> None:
        """Learn the number of a request that `tick` returned."""
        binding.request = request
        self._asked[request] = binding

    def answered(self, event: RequestAnswered, now: float) -> bool:
        """Take the end of a request; False when it was none of ours."""
        binding = self._asked.pop(event.request, None)
        if binding is None:
            return False
        if binding.request != event.request:  # the one that takes it back came after it
            return True
        binding.request = None
        if binding.is_leaving:
            return True
        if 200 <= event.status < 300:
            self._granted(binding, event.expires_s, now)
        elif event.status == 423 and self._can_ask_longer(binding, event.min_expires_s):
            binding.due_mono_s = now
        else:
            self._refused(binding, event, now)
        return True

    # --- which bindings there are ---------------------------------------------------------------------------

    def _take_over(self, now: float) -> None:
        """Have a binding for each registration that the trunks ask for now, and for no other."""
        wanted = {(trunk.id, registrar): trunk for trunk, registrar in self._wanted()}
        for key in tuple(self._bindings):
            if key not in wanted or _user_of(wanted[key]) != _user_of(self._bindings[key].trunk):
                self._leave(key)
        # The carrier may keep one Contact for both: what is taken back has to arrive before what is new.
        busy = {binding.trunk.id for binding in self._leaving}
        for key, trunk in wanted.items():
            credentials, registration = self._table.credentials(trunk.id), trunk.registration
            if credentials is None or registration is None:
                continue
            known = self._bindings.get(key)
            if known is None:
                self._bindings[key] = Binding(
                    trunk=trunk,
                    registrar=key[1],
                    credentials=credentials,
                    call_id=self._new_call_id(),
                    due_mono_s=now + FIRST_S_MAX * (self._random() + (trunk.id in busy)),
                    expires_s=registration.expires_s,
                )
            elif credentials is not known.credentials or registration != known.trunk.registration:
                known.credentials, known.expires_s, known.due_mono_s = (
                    credentials,
                    registration.expires_s,
                    now,
                )
                known.failure_count = 0
            self._bindings[key].trunk = trunk

    def _wanted(self) -> Iterator[tuple[Trunk, Target]]:
        for trunk in self._table.trunks:
            if trunk.registration is not None:
                registrar = trunk.registration.registrar
                for target in trunk.targets if registrar is None else (registrar,):
                    yield trunk, target

    def _leave(self, key: Key) -> None:
        binding = self._bindings.pop(key)
        binding.is_leaving = True
        if binding.registered_until_mono_s or binding.request is not None:
            binding.request = None
            self._leaving.append(binding)

    # --- one binding ----------------------------------------------------------------------------------------

    def _request(self, binding: Binding, now: float) -> OutgoingRequest | None:
        address = binding.address if binding.is_leaving else self._choose(binding, now)
        request = None
        if address is not None:
            request = self._requests.register(
                binding.trunk,
                binding.registrar,
                address,
                binding.credentials,
                call_id=binding.call_id,
                seq=binding.seq,
                expires_s=0 if binding.is_leaving else binding.expires_s,
            )
        if request is None:  # no address is known, or none that we can reach
            binding.due_mono_s = now + RECHECK_S
            return None
        binding.address = address
        binding.seq += SEQ_STEP
        return request

    def _choose(self, binding: Binding, now: float) -> TargetAddress | None:
        """The address that last worked, else the next one, healthy ones first; None: not now."""
        addresses = healthy_first(
            self._table.addresses(binding.registrar), lambda each: self._table.is_healthy(each, now)
        )
        if not addresses or not self._is_worth_it(binding, now):
            return None
        if binding.failure_count == 0 and binding.address in addresses:
            return binding.address
        return addresses[binding.failure_count % len(addresses)]

    def _is_worth_it(self, binding: Binding, now: float) -> bool:
        """A target that is down is not registered with, unless the trunk's others are down as well.

        Some carriers answer no OPTIONS of who is not registered: waiting for health would be waiting for ever.
        """
        targets = binding.trunk.targets
        healthy = [target for target in targets if self._is_up(target, now)]
        return binding.registrar not in targets or binding.registrar in healthy or not healthy

    def _is_up(self, target: Target, now: float) -> bool:
        return any(self._table.is_healthy(address, now) for address in self._table.addresses(target))

    def _can_ask_longer(self, binding: Binding, min_expires_s: int | None) -> bool:
        """Take up what a 423 asks for; once, and within reason."""
        if binding.has_asked_longer or not binding.expires_s < (min_expires_s or 0) <= EXPIRES_S_MAX:
            return False
        binding.has_asked_longer = True
        binding.expires_s = min_expires_s or 0
        return True

    def _granted(self, binding: Binding, expires_s: int | None, now: float) -> None:
        granted_s = binding.expires_s if expires_s is None else min(expires_s, EXPIRES_S_MAX)
        share = RENEW_SHARE_MIN + (RENEW_SHARE_MAX - RENEW_SHARE_MIN) * self._random()
        if not now < binding.registered_until_mono_s:
            _log.info("trunk.registered", trunk=binding.trunk.name, registrar=binding.registrar.host)
        binding.registered_until_mono_s = now + granted_s
        binding.due_mono_s = now + max(RENEW_S_MIN, granted_s * share)
        binding.failure_count = binding.status = 0
        binding.has_asked_longer = False
        if binding.address is not None:
            self._table.note_success(binding.address, is_call=False)

    def _refused(self, binding: Binding, event: RequestAnswered, now: float) -> None:
        binding.failure_count += 1
        binding.status = event.status
        binding.has_asked_longer = False
        wait_s = min(RETRY_S_MAX, RETRY_S_MIN * 2 ** min(binding.failure_count - 1, 10))
        wait_s *= 0.75 + 0.25 * self._random()
        if event.retry_after_s is not None:
            wait_s = max(wait_s, min(event.retry_after_s, RETRY_AFTER_S_MAX))
        binding.due_mono_s = now + wait_s
        if binding.address is not None and event.status in {408, 503}:
            self._table.note_failure(binding.address, now, retry_after_s=event.retry_after_s)
        _log.warning(
            "trunk.not_registered",
            trunk=binding.trunk.name,
            registrar=binding.registrar.host,
            status=event.status,
            retry_s=round(wait_s),
        )


def _user_of(trunk: Trunk) -> tuple[str | None, str | None]:
    """Whom a binding is for: another user is another binding, the same with another password is not."""
    return trunk.username, trunk.from_host
