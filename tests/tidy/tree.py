"""The files of the repository, for tests that read them. Works without git, as in an unpacked archive."""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "maskline"

_DIRECTORIES = ("src", "tests", "docs", "bench", "examples", "tools", "requirements", ".ci")
_SKIPPED = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"})


def files() -> Iterator[Path]:
    """Every file of ours: the top level and the known directories."""
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file() and path.name != ".git")
    for name in _DIRECTORIES:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and not any(
                part in _SKIPPED or part.endswith(".egg-info") for part in path.parts
            ):
                yield path


def text_files() -> Iterator[tuple[Path, str]]:
    """Every file people write: messages recorded elsewhere, under `tests/data`, are not ours to word."""
    for path in files():
        if (ROOT / "tests" / "data") in path.parents:
            continue
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


def modules(*directories: Path) -> Iterator[Path]:
    """Python modules below some directories."""
    for directory in directories:
        yield from (
            path
            for path in sorted(directory.rglob("*.py"))
            if not any(part in _SKIPPED for part in path.parts)
        )


@lru_cache(maxsize=2048)
def parse(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(), str(path))


def shown(path: Path) -> str:
    """A path as people write it: from the top of the repository."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a module with its dotted name."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name, child
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    yield from walk(parse(path), "")
