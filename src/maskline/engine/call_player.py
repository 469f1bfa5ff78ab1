"""What a call plays to its parties, and the keys they press meanwhile.

Getting a prompt takes time, and a call does not wait for it to change its mind: every prompt has a tag, and what
comes back for one that was replaced or stopped is thrown away.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import PromptKind
from maskline.core.call_record import Side
from maskline.core.secret import Secret
from maskline.engine.call_media import CallMedia
from maskline.engine.media_client import MediaRelay, RelayError
from maskline.engine.ports import PromptSource
from maskline.prompts.types import BuiltIn, PromptFile, PromptUnavailable

BUILT_IN: Final = {
    PromptKind.PIN: BuiltIn.PIN,
    PromptKind.PIN_WRONG: BuiltIn.PIN_WRONG,
    PromptKind.ANNOUNCEMENT: BuiltIn.NOT_IN_SERVICE,
    PromptKind.RINGBACK: BuiltIn.RINGBACK,
}
_KEYS: Final = frozenset("0123456789*#ABCD")


@dataclass(slots=True)
class CallPlayer:
    """Prompts and keys of one call. `country` decides how ringback sounds."""

    call_id: str
    relay: MediaRelay
    media: CallMedia
    prompts: PromptSource
    country: str
    _tags: dict[Side, str] = field(default_factory=dict)
    _tag_count: int = 0
    _silence: PromptFile | None = None  # at hand, since between two prompts every moment is heard
    _key_source: str | None = (
        None  # a phone may send a key both as RTP and as INFO: the first way seen counts
    )
    _key_type: int | None = None  # the payload type that the relay was told last
    _takes_keys: bool = False

    async def fetch(self, prompt: do.Prompt) -> on.Event:
        """Get a prompt for A onto the disk."""
        try:
            await self._file(Side.A, prompt)
        except PromptUnavailable as error:
            return on.PromptFailed(prompt.kind, error.failure.value)
        except _NoCodec:
            return on.PromptFailed(prompt.kind, "codec")
        return on.PromptReady()

    def begin(self, side: Side) -> str:
        """Take the turn on a side; whatever played or was about to is out of it."""
        self._tag_count += 1
        self._tags[side] = tag = f"p{self._tag_count}"
        return tag

    def end(self, side: Side) -> None:
        """End the turn on a side: what is still to be played there is not wanted any more."""
        self._tags.pop(side, None)

    async def play(self, command: do.Play, tag: str) -> on.Event | None:
        """Play under `tag`, got from `begin`; None when it plays, or is not wanted any more."""
        side, prompt = command.side, command.prompt
        failure = "relay"
        try:
            file = await self._file(side, prompt)
            if self._tags.get(side) == tag:
                await self.relay.play(self.call_id, side, file, tag=tag, repeats=command.repeats)
        except PromptUnavailable as error:
            failure = error.failure.value
        except _NoCodec:
            failure = "codec"
        except RelayError:
            pass
        else:
            return None
        if self._tags.get(side) != tag:
            return None
        self.end(side)
        return on.PromptFailed(prompt.kind, failure, is_built_in=not prompt.url)

    async def hush(self, side: Side) -> None:
        """Let a side that cannot be played to yet hear silence from its first moment, not the other side."""
        # Without it there is nothing to be played in, or nobody to play it: the prompt itself will tell.
        await self.play(do.Play(side, do.Prompt(PromptKind.SILENCE), repeats=True), self.begin(side))

    async def silence(self, side: Side) -> None:
        """Let a side hear the other again. A call without a relay plays nothing anyhow."""
        with suppress(RelayError):
            await self.relay.stop_playing(self.call_id, side)

    def finished(self, side: Side, tag: str) -> on.Event | None:
        """A prompt came to its end; None for one that is not the current one."""
        if self._tags.get(side) != tag:
            return None
        del self._tags[side]
        return on.PromptFinished(side)

    async def _file(self, side: Side, prompt: do.Prompt) -> PromptFile:
        codec = self.media.prompt_codec(side)
        if codec is None:
            raise _NoCodec
        if prompt.url:
            return await self.prompts.fetch(prompt.url, codec)
        if prompt.kind is PromptKind.SILENCE:
            self._silence = self._silence or await self.prompts.built_in(BuiltIn.SILENCE, codec)
            return self._silence
        return await self.prompts.built_in(BUILT_IN[prompt.kind], codec, country=self.country)

    # --- keys -----------------------------------------------------------------------------------------------

    async def take_keys(self) -> None:
        """Hear of A's keys, and keep them from B."""
        self._takes_keys = True
        await self._watch(is_hidden=True)

    async def pass_keys(self) -> None:
        """Let A's keys through."""
        self._takes_keys = False
        await self._watch(is_hidden=False)

    async def _watch(self, *, is_hidden: bool) -> None:
        # Without one by now, as a re-INVITE may have it, what was hidden before shall not stay so.
        payload_type = self.media.event_payload_type(Side.A)
        payload_type = self._key_type if payload_type is None else payload_type
        if payload_type is None:
            return  # a phone without RFC 4733 may still send INFO
        self._key_type = payload_type
        with suppress(RelayError):  # the relay's end is reported by itself
            await self.relay.watch_digits(self.call_id, Side.A, payload_type, is_hidden=is_hidden)

    def key_from_relay(self, digit: str) -> on.Event | None:
        """A key that came as RTP."""
        return self._key("rtp", digit)

    def key_from_info(self, content_type: str, body: bytes) -> on.Event | None:
        """A key that came as an INFO; None for a body that names none."""
        digit = read_info(content_type, body)
        return None if digit is None else self._key("info", digit)

    def _key(self, source: str, digit: str) -> on.Event | None:
        if not self._takes_keys or digit not in _KEYS:
            return None
        self._key_source = self._key_source or source
        return on.DigitPressed(Secret(digit)) if source == self._key_source else None


class _NoCodec(Exception):  # noqa: N818
    """The side speaks nothing that prompts are played in."""


def read_info(content_type: str, body: bytes) -> str | None:
    """Read the key of an INFO body; None when there is none.

    Source: `application/dtmf-relay` as gateways send it (`Signal=5`, then `Duration=160`); `application/dtmf` is the
    key alone.
    """
    text = body.decode("ascii", "replace").strip()
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dtmf":
        return _named(text)
    if kind != "application/dtmf-relay":
        return None
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip().lower() == "signal":
            return _named(value.strip())
    return None


def _named(text: str) -> str | None:
    """Read one key; 10 and 11 are * and # in the numbering of RFC 4733 section 3.2."""
    key = {"10": "*", "11": "#"}.get(text, text.upper())
    return key if key in _KEYS else None
