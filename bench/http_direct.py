"""The workflow behind a creation, run without HTTP: `python -m bench.http_direct`, plan and figures as JSON.

A process of its own on the service's core: the same statements, transactions and durability, and nothing else.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import uvloop

from bench.http_load import Measured, parties, summarise
from maskline.clock import SystemClock
from maskline.core.inventory import Account
from maskline.core.masking import NewMaskingSession, SessionCreated
from maskline.core.numbers import E164
from maskline.store.engine import Store
from maskline.store.setup import open_store
from maskline.store.thread import StoreThreads
from maskline.workflows.accounts import list_accounts
from maskline.workflows.create_masking_session import create_masking_session


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectPlan:
    """What to run. Without callers one thread runs transaction after transaction; with them commits are shared."""

    url: str
    key_path: str
    caller_count: int
    duration_s: float
    core: int
    first_index: int


def new_session(index: int) -> NewMaskingSession:
    """What the HTTP side makes of the bench's request."""
    first, second = parties(index)
    return NewMaskingSession(first=E164(first), second=E164(second), expires_in_s=86_400)


def run_alone(plan: DirectPlan, store: Store, account: Account) -> Measured:
    """One transaction a creation, one after the other."""
    clock, latencies_s, failed = SystemClock(), list[float](), 0
    started, cpu_before_s = time.perf_counter(), time.process_time()
    for index in count(plan.first_index):
        sent_mono_s = time.perf_counter()
        if sent_mono_s >= started + plan.duration_s:
            break
        created = store.run(create_masking_session, account, new_session(index), clock.now())
        latencies_s.append(time.perf_counter() - sent_mono_s)
        failed += not (isinstance(created, SessionCreated) and created.is_new)
    return summarise(
        latencies_s,
        failed=failed,
        elapsed_s=time.perf_counter() - started,
        cpu_s=time.process_time() - cpu_before_s,
    )


async def run_grouped(plan: DirectPlan, store: Store, account: Account) -> Measured:
    """As the service does: callers wait together, and what waits is committed together."""
    clock, latencies_s, failed = SystemClock(), list[float](), 0
    indexes = count(plan.first_index)
    threads = StoreThreads(store)
    started, cpu_before_s = time.perf_counter(), time.process_time()

    async def call() -> None:
        nonlocal failed
        while (sent_mono_s := time.perf_counter()) < started + plan.duration_s:
            new = new_session(next(indexes))
            created = await threads.write(create_masking_session, account, new, clock.now())
            latencies_s.append(time.perf_counter() - sent_mono_s)
            failed += not (isinstance(created, SessionCreated) and created.is_new)

    async with asyncio.TaskGroup() as group:
        for _ in range(plan.caller_count):
            group.create_task(call())
    measured = summarise(
        latencies_s,
        failed=failed,
        elapsed_s=time.perf_counter() - started,
        cpu_s=time.process_time() - cpu_before_s,
    )
    await threads.close()
    return measured


def main() -> None:
    """Run the plan on standard input."""
    plan = DirectPlan(**json.load(sys.stdin))
    os.sched_setaffinity(0, {plan.core})
    store = open_store(plan.url, Path(plan.key_path))
    try:
        (account,) = store.read(list_accounts)
        measured = (
            uvloop.run(run_grouped(plan, store, account))
            if plan.caller_count
            else run_alone(plan, store, account)
        )
    finally:
        store.close()
    json.dump(asdict(measured), sys.stdout)


if __name__ == "__main__":
    main()
