"""The command line as a whole: global options, commands, errors and exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 no database, 130 interrupted.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from maskline.cli.context import Context, split_global_options
from maskline.errors import AppError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it

_EPILOGUE = (
    "Every command takes --json, --config FILE and each setting as an option (--data-dir DIR, --database-url URL, "
    "--http-bind HOST:PORT, ...; `maskline config show` lists them), before or after its name. Commands that work on "
    "data also take --server URL with --api-key-file FILE or --api-key - (a line on standard input), or find both in "
    "MASKLINE_SERVER and MASKLINE_API_KEY, and are then carried out by the service there."
)

MODULES: Final = {
    "serve": "serve",
    "demo": "serve",
    "account": "account",
    "subaccount": "subaccount",
    "key": "key",
    "trunk": "trunk",
    "number": "number",
    "pool": "pool",
    "session": "session",
    "recording": "recording",
    "usage": "usage",
    "deepcall": "deepcall",
    "webhook": "webhook",
    "delivery": "delivery",
    "db": "db",
    "config": "config",
}
"""First words of the command line and the modules of `maskline.cli` that know what follows them."""


def build_app(context: Context, tokens: Sequence[str] = ()) -> App:
    """Bind all commands to one invocation; of `tokens`, where they name one, no other is loaded.

    What commands import takes most of a short command's time.
    """
    app = App(
        name="maskline",
        help="Maskline, a self-hosted NAT for phone numbers.",
        help_epilogue=_EPILOGUE,
        help_format="plaintext",
        version=version("maskline"),
        result_action="return_value",
        print_error=False,
        exit_on_error=False,
    )
    for name in _needed(tokens):
        import_module(f"maskline.cli.{name}").add_commands(app, context)
    return app


def _needed(tokens: Sequence[str]) -> tuple[str, ...]:
    if tuple(tokens) == ("--version",):
        return ()
    first = tokens[0] if tokens else ""
    return (MODULES[first],) if first in MODULES else tuple(dict.fromkeys(MODULES.values()))


def run(tokens: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are told on stderr in one sentence."""
    context = Context(is_json="--json" in tokens)
    try:
        context, left = split_global_options(tokens)
        result = build_app(context, left)(left)
    except CycloptsError as error:
        _tell(context, "input.invalid", f"{_one_line(error)} (try: maskline {_help_hint(error)}--help)")
        return EXIT_USAGE
    except AppError as error:
        _tell(context, error.code, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; keep the interpreter from complaining once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        _tell(context, "system.failed", _redact(str(error)))
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001  # the last boundary: a traceback as such could show a number
        _tell(
            context, "internal.error", f"internal error: {type(error).__name__}; please report what follows"
        )
        print(_redact(traceback.format_exc()), file=sys.stderr)
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _redact(text: str) -> str:
    from maskline.observability import redact_text  # noqa: PLC0415  # slow to load, and seldom needed

    return redact_text(text)


def _tell(context: Context, code: str, message: str) -> None:
    if context.is_json:
        print(json.dumps({"error": {"code": code, "message": message}}), file=sys.stderr)
    else:
        print(f"maskline: {message}", file=sys.stderr)


def _one_line(error: CycloptsError) -> str:
    return " ".join(str(error).split())


def _help_hint(error: CycloptsError) -> str:
    return "".join(f"{name} " for name in error.command_chain or ())
