"""The recording of one call: begun at the bridge, its payload types noted, ended with the relay's session."""

from collections.abc import Callable
from dataclasses import dataclass

from maskline.core.call.state import CallPlan
from maskline.core.recording import NewRecording, RecordingFailure
from maskline.core.routing import Connect
from maskline.engine.call_media import CallMedia
from maskline.engine.call_writer import CallWriter
from maskline.engine.media_client import MediaRelay, RelayError
from maskline.engine.ports import SwitchClock, SwitchStore


@dataclass(slots=True, kw_only=True)
class CallRecorder:
    """What a call that is recorded needs for it; whatever happens here, the call goes on."""

    plan: CallPlan
    media: CallMedia
    relay: MediaRelay
    store: SwitchStore
    writer: CallWriter
    clock: SwitchClock
    has_room: Callable[[], bool]
    _is_begun: bool = False
    _is_note_due: bool = False

    def describe(self, connect: Connect, bridged_at: int) -> NewRecording:
        """Say what is going to be captured, as the payload types stand now."""
        return NewRecording(
            id=self.plan.recording_id,
            account_id=connect.account_id,
            session_id=connect.session_id,
            call_id=self.plan.call_id,
            format=connect.record_format,
            legs=self.media.captured_legs(),
            started_at=bridged_at,
        )

    async def begin(self, new: NewRecording) -> None:
        """Begin the capture, or note why there is none."""
        failure = None if self.has_room() else RecordingFailure.NO_ROOM
        if failure is None:
            try:
                await self.relay.start_recording(self.plan.call_id, new.id)
            except RelayError:
                failure = RecordingFailure.RELAY_REFUSED
        if failure is not None:
            reason, now = failure, self.clock.now_us()
            self.writer.write(self.plan.call_id, lambda: self.store.fail_recording(new, reason, now))
            return
        self.writer.write(self.plan.call_id, lambda: self.store.start_recording(new))
        self._is_begun = True
        if self._is_note_due:
            self.note_codecs()

    def note_codecs(self) -> None:
        """Note what payload types mean from now on; there has to be a recording to note it of."""
        if not self._is_begun:
            self._is_note_due = True
            return
        legs, now = self.media.captured_legs(), self.clock.now_us()
        self.writer.write(
            self.plan.call_id, lambda: self.store.note_codecs(self.plan.recording_id, legs, now)
        )
