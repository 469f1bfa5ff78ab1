"""What may go wrong while reading or building media descriptions."""


class ProtocolError(Exception):
    """Common parent; never raised itself."""

    def __init__(self, text: str, *, status_hint: int = 500) -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise RemoteProtocolError or LocalProtocolError")
        super().__init__(text)
        self.status_hint = status_hint


class RemoteProtocolError(ProtocolError):
    """The peer sent something malformed (400) or something we do not serve (488).

    The text names the rule that was broken and never repeats what was sent.
    """

    def __init__(self, text: str, *, status_hint: int = 400) -> None:
        super().__init__(text, status_hint=status_hint)


class NoCommonCodec(RemoteProtocolError):  # noqa: N818 - reads as the outcome it is
    """Offer and permission, or offer and answer, share no audio codec (488)."""

    def __init__(self) -> None:
        super().__init__("no codec in common", status_hint=488)


class LocalProtocolError(ProtocolError):
    """Our own code asked for something that cannot be said; a bug."""
