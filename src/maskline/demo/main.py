"""`maskline demo`: a whole masked call on this machine, and the proof that nothing crossed.

It starts the service on free ports in a temporary directory, registers two phones at the sandbox carrier, creates a
masking session over HTTP, and lets each phone dial the virtual number. Everything it says it has checked on the bytes
the phones were sent and on the tones they heard.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from maskline.clock import SystemClock
from maskline.config import Settings, load_settings
from maskline.core.numbers import E164
from maskline.demo.checks import Checks, needles_of
from maskline.demo.client import MaskingClient
from maskline.demo.phone import Phone, Timings
from maskline.engine.runner import AsyncioRunner
from maskline.parts import Service
from maskline.wiring import run_service

TALK_S = 0.8  # enough for a tone to be told from another, and from silence
DEMO_TIMEOUT_S = 28.0
A_NUMBER, B_NUMBER = E164("+919812300001"), E164("+919812300002")
A_TONE_HZ, B_TONE_HZ = 440, 1000
A_HOST, B_HOST = "127.0.0.2", "127.0.0.3"  # addresses of their own, so that a leaked one would show


@dataclass(slots=True)
class Story:
    """What happened, as it is printed."""

    say: Callable[[str], None]
    started_s: float = field(default_factory=time.monotonic)

    def tell(self, line: str) -> None:
        """Print a line with the time since the start."""
        self.say(f"{(time.monotonic() - self.started_s) * 1000:7.0f} ms  {line}")


async def run_demo(say: Callable[[str], None] = print) -> bool:
    """Run the demonstration; say what is seen; return whether all of it is as it must be."""
    checks = Checks(say)
    try:
        async with asyncio.timeout(DEMO_TIMEOUT_S):
            with tempfile.TemporaryDirectory(prefix="maskline-demo-") as directory:
                await _run(Path(directory), Story(say), checks)
    except TimeoutError:
        checks.expect("the demonstration ends in time", is_true=False)
    say("")
    say(checks.summary())
    return checks.is_good


async def _run(directory: Path, story: Story, checks: Checks) -> None:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(run_service(_settings(directory), sandbox=True))
        assert service.sandbox_address is not None
        assert service.account is not None
        story.tell("service, sandbox carrier and relay are up")
        runner = AsyncioRunner(SystemClock())
        a = Phone(
            name="Asha Rao",
            number=A_NUMBER,
            host=A_HOST,
            carrier=service.sandbox_address,
            tone_hz=A_TONE_HZ,
            runner=runner,
        )
        b = Phone(
            name="Bilal Khan",
            number=B_NUMBER,
            host=B_HOST,
            carrier=service.sandbox_address,
            tone_hz=B_TONE_HZ,
            runner=runner,
        )
        for phone in (a, b):
            await phone.open()
            stack.callback(phone.close)
            checks.expect(f"{phone.name} registers", is_true=await phone.register() == 200)

        client = MaskingClient(service.http_address, service.account)
        session = await client.create(A_NUMBER, B_NUMBER)
        virtual = session.virtual_number
        story.tell(f"POST Masking/Session -> virtual number {virtual}")

        await _call(a, b, virtual, story, checks)
        await _call(b, a, virtual, story, checks)

        await client.delete(session.session_id)
        story.tell("DELETE Masking/Session")
        timings = await a.dial(virtual)
        story.tell(f"{a.name} dials {virtual}: {timings.failed_status}")
        checks.expect(
            "after the session has ended the call is refused with 480", is_true=timings.failed_status == 480
        )
        checks.expect(f"{b.name}'s phone stayed silent", is_true=len(b.shown) == 1)
        _check_leaks(a, b, checks)
        await _check_rest(service, checks)


async def _call(caller: Phone, callee: Phone, virtual: str, story: Story, checks: Checks) -> None:
    """Let `caller` dial, both talk, and `caller` hang up."""
    story.say("")
    timings = await caller.dial(virtual)
    _draw(caller, callee, virtual, timings, story.say)
    checks.expect(f"{callee.name} answers {caller.name}'s call", is_true=timings.answered_s is not None)
    if timings.answered_s is None:
        return
    await asyncio.sleep(TALK_S)
    for phone, other in ((caller, callee), (callee, caller)):
        checks.hears(phone, other)
    shown = callee.shown[-1]
    seen = {shown.from_user, *shown.asserted_users}
    checks.expect(f"{callee.name} is shown the virtual number and no other", is_true=seen == {virtual})
    await caller.hang_up()
    await callee.wait_for_end()
    story.tell(f"{caller.name} hangs up; both legs are gone")


def _draw(caller: Phone, callee: Phone, virtual: str, timings: Timings, say: Callable[[str], None]) -> None:
    def after(instant_s: float | None) -> str:
        return "   -   " if instant_s is None else f"{(instant_s - timings.invited_s) * 1000:4.0f} ms"

    rows = (
        (f"INVITE {virtual}", "->", "", "  ", ""),
        ("", "  ", f"INVITE, From: {virtual}", "->", ""),
        ("180", "<-", "180", "<-", after(timings.ringing_s)),
        ("200", "<-", "200", "<-", after(timings.answered_s)),
        (f"{caller.audio.tone_hz} Hz", "->", f"{caller.audio.tone_hz} Hz", "->", ""),
        (f"{callee.audio.tone_hz} Hz", "<-", f"{callee.audio.tone_hz} Hz", "<-", ""),
    )
    say(f"  {caller.name:<28} {'Maskline':<32} {callee.name}")
    for left, left_arrow, right, right_arrow, note in rows:
        say(f"    |{_arrow(left, left_arrow, 28)}|{_arrow(right, right_arrow, 32)}|  {note}".rstrip())


def _arrow(text: str, direction: str, width: int) -> str:
    """Draw `text` on an arrow of `width` columns; no direction, no line."""
    if direction == "->":
        return f" {text} ".center(width - 1, "-") + ">"
    if direction == "<-":
        return "<" + f" {text} ".center(width - 1, "-")
    return " " * width


def _check_leaks(a: Phone, b: Phone, checks: Checks) -> None:
    for phone, other in ((a, b), (b, a)):
        leaked = [what for what, needle in needles_of(other) if phone.received.contains(needle)]
        count = len(phone.received.sip) + len(phone.received.rtp)
        checks.expect(
            f"none of the {count} datagrams {phone.name} got holds {other.name}'s number, name or address",
            is_true=not leaked and count > 0,
            detail=", ".join(leaked),
        )


async def _check_rest(service: Service, checks: Checks) -> None:
    """Nothing of the calls is left behind."""
    checks.expect("no call is left in the switch", is_true=service.switch.live_count == 0)
    checks.expect("no port is left in the relay", is_true=not await service.relay.list())


def _settings(directory: Path) -> Settings:
    return load_settings(
        flags={
            "data_dir": directory,
            "http_bind": "127.0.0.1:0",
            "sip_bind": "127.0.0.1:0",
            "sandbox_bind": "127.0.0.1:0",
            "log_level": "error",
        }
    )
