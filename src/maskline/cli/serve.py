"""`maskline serve` and `maskline demo`."""

import uvloop
from cyclopts import App

from maskline.cli.context import Context
from maskline.config_types import LogFormat, LogLevel
from maskline.observability import LineWriter, configure_logging


def add_commands(app: App, context: Context) -> None:
    """Register both."""

    @app.command
    def serve(*, sandbox: bool = False) -> None:
        """Run the service until it is told to stop.

        Makes the database and its key file when they are missing.

        Args:
            sandbox: Play the carrier on loopback too, with a demo account and demo numbers.
        """
        from maskline import serving  # noqa: PLC0415  # the whole service; other commands start without it

        writer = _configure_logging(context, context.settings.log_level)
        try:
            uvloop.run(serving.serve(context.settings, sandbox=sandbox))
        finally:
            writer.close()

    @app.command
    def demo() -> int:
        """Make a whole masked call between two phones on this machine and prove that it is masked."""
        from maskline.demo.main import run_demo  # noqa: PLC0415  # as above

        # The demonstration speaks for itself; with --log-level debug the service's own words come too.
        level = context.settings.log_level
        writer = _configure_logging(context, LogLevel.WARNING if level is LogLevel.INFO else level)
        lines: list[str] = []
        try:
            is_good = uvloop.run(run_demo(lines.append if context.is_json else _say))
        finally:
            writer.close()
        if context.is_json:
            context.answer({"is_good": is_good, "lines": lines})
        return 0 if is_good else 1


def _say(line: str) -> None:
    print(line, flush=True)


def _configure_logging(context: Context, level: LogLevel) -> LineWriter:
    log_format = context.settings.log_format
    return configure_logging(
        level=level.value,
        is_json=None if log_format is LogFormat.AUTO else log_format is LogFormat.JSON,
    )
