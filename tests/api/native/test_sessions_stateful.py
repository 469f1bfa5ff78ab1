from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.api.native.tenant_requests import ask, check_problem
from tests.api.service import Service

from maskline.clock import to_datetime

SECOND = 1_000_000


def _instant(at: int) -> str:
    return to_datetime(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


PEOPLE = tuple(f"+9120255540{index:02}" for index in range(4))


class SessionMachine(RuleBasedStateMachine):
    """An account's sessions over HTTP against what a reader of the documentation expects."""

    service: ClassVar[Service]

    @initialize()
    def begin(self) -> None:
        """A fresh account with three numbers."""
        self.tenant = self.service.new_account(3)
        self.sessions: dict[str, dict[str, Any]] = {}

    @property
    def now(self) -> int:
        return self.service.clock.now()

    def _live(self) -> list[dict[str, Any]]:
        return [it for it in self.sessions.values() if it["ends_at"] > self.now]

    @rule(
        pair=st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=2, unique=True),
        on_repeat=st.sampled_from(["update", "refuse", "reuse"]),
        expires_in_s=st.sampled_from([60, 600]),
        reference=st.none() | st.sampled_from(["x", "y"]),
    )
    def create(self, pair: list[str], on_repeat: str, expires_in_s: int, reference: str | None) -> None:
        """A session is new, or the pair's live one is treated as wanted, or no number is free."""
        body = {
            "first": pair[0],
            "second": pair[1],
            "on_repeat": on_repeat,
            "expires_in_s": expires_in_s,
            "reference": reference,
        }
        answer = ask(self.tenant, "POST", "/sessions", body)
        live = next((it for it in self._live() if [it["first"], it["second"]] == pair), None)
        ends_at = self.now + expires_in_s * SECOND
        if live is None:
            taken = {it["number"] for it in self._live() if {it["first"], it["second"]} & set(pair)}
            if len(taken) == len(self.tenant.numbers):
                check_problem(answer, 409, "pool-exhausted")
                return
            assert answer.status == 201
            made = answer.body
            assert made["virtual_number"] not in taken
            self.sessions[made["id"]] = {
                "first": pair[0],
                "second": pair[1],
                "ends_at": ends_at,
                "reference": reference,
                "number": made["virtual_number"],
                "created_at": self.now,
            }
            return
        if on_repeat == "refuse":
            assert self.sessions[check_problem(answer, 409, "pair-live")["session_id"]] is live
            return
        assert answer.status == 200
        assert self.sessions[answer.body["id"]] is live
        if on_repeat == "update":
            live["ends_at"] = ends_at
            live["reference"] = reference or live["reference"]

    @precondition(lambda self: self.sessions)
    @rule(
        data=st.data(),
        changes=st.fixed_dictionaries(
            {},
            optional={
                "expires_in_s": st.sampled_from([60, 300]),
                "reference": st.none() | st.sampled_from(["p", "q"]),
            },
        ),
    )
    def change(self, data: st.DataObject, changes: dict[str, Any]) -> None:
        """A live session takes changes, one that is over does not."""
        id_ = data.draw(st.sampled_from(sorted(self.sessions)))
        session = self.sessions[id_]
        answer = ask(self.tenant, "PATCH", f"/sessions/{id_}", changes)
        if session["ends_at"] <= self.now:
            check_problem(answer, 409, "session-ended")
            return
        assert answer.status == 200
        if "expires_in_s" in changes:
            session["ends_at"] = self.now + changes["expires_in_s"] * SECOND
        session["reference"] = changes.get("reference", session["reference"])

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """A live session ends now; one that is over stays as it is."""
        id_ = data.draw(st.sampled_from(sorted(self.sessions)))
        answer = ask(self.tenant, "DELETE", f"/sessions/{id_}")
        if self.sessions[id_]["ends_at"] <= self.now:
            check_problem(answer, 409, "session-ended")
            return
        assert answer.status == 200
        self.sessions[id_]["ends_at"] = self.now

    @rule(seconds=st.sampled_from([1, 45, 200]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.service.manual_clock.advance(s=seconds)

    @rule(limit=st.integers(1, 3), status=st.sampled_from([None, "active", "expired"]))
    def read(self, limit: int, status: str | None) -> None:
        """The list, page by page, is what was made, newest first."""
        expected = {
            id_: it
            for id_, it in self.sessions.items()
            if status is None or (it["ends_at"] > self.now) == (status == "active")
        }
        seen: list[dict[str, Any]] = []
        query = f"limit={limit}" + (f"&status={status}" if status else "")
        after = ""
        while after is not None:
            page = ask(self.tenant, "GET", f"/sessions?{query}" + (f"&after={after}" if after else "")).body
            seen += page["data"]
            after = page["next"]
        assert len(seen) == len(expected)
        for told in seen:
            it = expected[told["id"]]
            assert (told["first"], told["second"], told["reference"]) == (
                it["first"],
                it["second"],
                it["reference"],
            )
            assert told["ends_at"] == _instant(it["ends_at"])
        times = [told["created_at"] for told in seen]
        assert times == sorted(times, reverse=True)


def test_sessions_are_what_was_done_to_them(service: Service) -> None:
    """Whatever is created, changed, ended and waited for: answers and lists agree with a model."""
    machine = type("Machine", (SessionMachine,), {"service": service})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
