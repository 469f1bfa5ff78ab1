"""Words that do not belong into the tree."""

import re

from tests.tidy.tree import ROOT, shown, text_files

GLOSSARY = ROOT / "docs" / "glossary.md"

# One letter of each stands in brackets, so that this file passes its own test.
MACHINE_PATH = re.compile(r"(?<![\w.$}\])])/(?:w[o]rk|r[o]ot|h[o]me)/\w")
PACKAGE_SOURCE = re.compile(
    r"p[y]pi\.|p[y]thonhosted|n[p]mjs\.|(?<!no-emit-)(?:extra-)?index-[u]rl|crates\.[i]o\b|proxy\.[g]olang"
)
UNFINISHED = re.compile(r"\b(?:T[O]DO|F[I]XME|H[A]CK)\b(?! \(issue \d+\))")


def _hits(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{shown(path)}:{number}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_path_of_one_machine() -> None:
    """No file names a directory of the machine it was written on."""
    assert _hits(MACHINE_PATH) == []


def test_no_address_of_a_package_source() -> None:
    """Where packages are fetched from is the installer's affair."""
    assert _hits(PACKAGE_SOURCE) == []


def test_unfinished_work_names_its_issue() -> None:
    """What is left for later says which issue it waits for."""
    assert _hits(UNFINISHED) == []


def test_words_the_glossary_rules_out_are_not_used() -> None:
    """A thing has one name: the glossary's rejected words occur neither in code nor in documents."""
    rejected = [
        word
        for row in re.findall(r"^\|(?:[^|\n]*\|){2}([^|\n]*)\|$", GLOSSARY.read_text(), re.MULTILINE)
        for word in re.findall(r"`([^`]+)`", row)
    ]
    assert len(rejected) > 5
    pattern = re.compile(
        r"(?<![a-z])(?:" + "|".join(word.replace(" ", "[ _-]?") for word in rejected) + r")(?![a-z])",
        re.IGNORECASE,
    )
    own = {shown(GLOSSARY), "tests/tidy/test_words.py"}
    assert [hit for hit in _hits(pattern) if hit.rpartition(":")[0] not in own] == []
