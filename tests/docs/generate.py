"""Those parts of the documents that follow from the code.

A block stands between `<!-- generated: NAME -->` and `<!-- end -->`; a test compares it with what the code says
now. `python -m tests.docs.generate` writes the blocks anew.
"""

import ast
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.argument import Argument
from prometheus_client import CollectorRegistry

from maskline.api.metrics import HTTPMetrics
from maskline.api.native.app import native_routes
from maskline.api.native.kernel import NativeKernel
from maskline.cli.context import Context
from maskline.cli.main import build_app
from maskline.config import ENVIRONMENT_PREFIX, Settings
from maskline.config_types import PortRange
from maskline.core.termination import TERMINATIONS
from maskline.errors import AppError
from maskline.testing.clock import ManualClock
from tests.tidy.tree import ROOT, SOURCE, modules, parse

_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def commands() -> Iterator[tuple[str, App]]:
    """Every command of the program that does something, by its full name."""

    def walk(app: App, name: str) -> Iterator[tuple[str, App]]:
        below = [word for word in app if not word.startswith("-")]
        for word in below:
            yield from walk(app[word], f"{name} {word}")
        if not below:
            yield name, app

    yield from walk(build_app(Context()), "maskline")


def errors() -> dict[str, type[AppError]]:
    """Every error that a command or an answer may carry, by its code."""
    found: dict[str, type[AppError]] = {}
    for path in modules(SOURCE):
        names = [
            node.name for node in ast.walk(parse(path)) if isinstance(node, ast.ClassDef) and _has_code(node)
        ]
        if names:
            module = import_module(".".join(path.relative_to(SOURCE.parent).with_suffix("").parts))
            kinds = (getattr(module, name) for name in names)
            found |= {kind.code: kind for kind in kinds if issubclass(kind, AppError)}
    return found


def _has_code(node: ast.ClassDef) -> bool:
    """Whether a class gives itself a code of its own."""
    targets = [
        target
        for statement in node.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
    ]
    return any(isinstance(target, ast.Name) and target.id == "code" for target in targets)


def render_settings() -> str:
    """A table of all settings."""
    lines = ["| setting | environment | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        # What is a flag on the command line is a word in a file.
        is_switch = isinstance(field.default, bool)
        default = f"`{str(field.default).lower()}`" if is_switch else _render_default(field.default)
        lines.append(
            f"| `{name}` | `{ENVIRONMENT_PREFIX}{name.upper()}` | {default} | {_cell(field.description or '')} |"
        )
    return "\n".join(lines) + "\n"


def render_commands() -> str:
    """A section for each command."""
    return "\n".join(_render_command(name, app) for name, app in commands())


def render_errors() -> str:
    """A table of error codes."""
    lines = ["| code | exit code | meaning |", "| --- | --- | --- |"]
    for code, kind in sorted(errors().items()):
        summary = (kind.__doc__ or "").partition("\n")[0]
        lines.append(f"| `{code}` | {kind.exit_code} | {_cell(summary)} |")
    return "\n".join(lines) + "\n"


def render_terminations() -> str:
    """A table of the ways in which a call ends."""
    lines = ["| reason | result | Q.850 | leg A hears, unanswered |", "| --- | --- | --- | --- |"]
    for reason, row in TERMINATIONS.items():
        lines.append(f"| `{reason.value}` | {row.result.value} | {row.q850} | {row.sip_status} |")
    return "\n".join(lines) + "\n"


def render_native_operations() -> str:
    """A table of what the native interface offers."""
    nothing: Any = object()
    kernel = NativeKernel(
        store=nothing, clock=ManualClock(), metrics=HTTPMetrics(CollectorRegistry()), random_bytes=os.urandom
    )
    lines = ["| operation | permission | what it does |", "| --- | --- | --- |"]
    for route in native_routes(kernel):
        summary = (inspect.getdoc(route.operation) or "").partition("\n")[0]
        permission = "" if route.permission is None else f"`{route.permission.value}`"
        lines.append(f"| `{route.method} {route.path}` | {permission} | {_cell(summary)} |")
    return "\n".join(lines) + "\n"


BLOCKS: Mapping[str, Callable[[], str]] = {
    "settings": render_settings,
    "commands": render_commands,
    "errors": render_errors,
    "terminations": render_terminations,
    "native_operations": render_native_operations,
}


def renew(text: str) -> str:
    """A document with its generated blocks as the code has them now."""
    return _BLOCK.sub(lambda block: block.group(1) + BLOCKS[block.group(2)]() + block.group(3), text)


def documents() -> list[Path]:
    """Every document of the repository."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def _render_command(name: str, app: App) -> str:
    collection = app.assemble_argument_collection(parse_docstring=True)
    arguments = [
        argument for argument in collection if argument.name != "*"
    ]  # which stands for what it holds
    words = " ".join(argument.name for argument in arguments if not argument.name.startswith("-"))
    lines = [f"### `{f'{name} {words}'.strip()}`", ""]
    said = inspect.cleandoc((app.default_command.__doc__ or "") if app.default_command else "")
    summary = re.split(r"^(?:Args:|Parameters)$", said, flags=re.MULTILINE)[0]
    lines += [*(line for line in summary.splitlines() if line), ""]
    options = [argument for argument in arguments if argument.name.startswith("-")]
    if options:
        lines += ["| option | default | meaning |", "| --- | --- | --- |"]
        lines += [_render_option(option) for option in options]
        lines.append("")
    return "\n".join(lines)


def _render_option(option: Argument) -> str:
    default = "required" if option.required else _render_default(option.field_info.default)
    return f"| `{option.name}` | {default} | {_cell(str(option.parameter.help or ''))} |"


def _render_default(value: object) -> str:
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return ", ".join(_render_default(part) for part in value)
    return f"`{value}`" if not isinstance(value, PortRange) else f"`{value.first}-{value.last}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write every document's blocks anew."""
    for path in documents():
        path.write_text(renew(path.read_text()))


if __name__ == "__main__":
    main()
