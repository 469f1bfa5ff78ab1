"""Recordings to be had over HTTP."""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.api.service import Answer, Service, Tenant

from maskline.core.masking import RecordFormat
from maskline.core.recording import ConvertedRecording, NewRecording
from maskline.recordings.storage_local import LocalStorage
from maskline.store import recordings as rows
from maskline.testing.captures import PCMU, note
from maskline.workflows import recordings as work

AUDIO = bytes(range(256)) * 700  # three chunks
SECOND = 1_000_000
SERIAL = count(1)


@dataclass(frozen=True)
class Shelf:
    """An account and recordings of its calls."""

    tenant: Tenant
    ids: list[str] = field(default_factory=list)

    @property
    def service(self) -> Service:
        return self.tenant.service

    def record(self, format_: RecordFormat = RecordFormat.MP3, **fields: object) -> str:
        """A call of a new session that was recorded; return the recording's id."""
        service, number = self.service, next(SERIAL)
        parties = {"first_party": f"+9198{number:08d}", "second_party": f"+9197{number:08d}"}
        session = self.tenant.create(**parties, **fields)["session_uuid"]
        now = service.clock.now()
        new = NewRecording(
            id=f"{number:032x}",
            account_id=self.tenant.account.id,
            session_id=session,
            call_id=f"00000000-0000-4000-8000-{number:012x}",
            format=format_,
            legs=note(0, PCMU).legs,
            started_at=now,
        )
        assert service.run(work.start_recording, new, now)
        assert service.run(rows.mark_captured, new.id, now + 10 * SECOND)
        converted = ConvertedRecording(
            recording_id=new.id, ended_at=now + 10 * SECOND, duration_ms=10_000, size_bytes=len(AUDIO)
        )
        assert service.run(work.complete_recording, converted, now + 11 * SECOND)
        stored = service.run(rows.load_recording, new.id)
        assert stored is not None
        assert isinstance(service.recordings, LocalStorage)
        source = Path(service.recordings._directory) / "source"
        source.write_bytes(AUDIO)
        asyncio.run(service.recordings.put(stored.storage_key, source))
        self.ids.append(new.id)
        return new.id

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return self.tenant.request(method, f"/Recording/{path}", **headers)
