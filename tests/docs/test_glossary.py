"""The glossary speaks of the code as it is."""

import re

from tests.tidy.tree import ROOT, SOURCE, modules


def test_names_of_the_glossary_are_used_in_the_code() -> None:
    """Every name in the first column of a table occurs in the source."""
    rows = re.findall(r"^\|([^|\n]*)\|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    words = {word for path in modules(SOURCE) for word in re.findall(r"\w+", path.read_text())}
    assert len(names) > 10
    assert names - words == set()


def test_a_word_is_explained_once() -> None:
    """No first column stands twice, tables' heads aside: one word, one thing."""
    rows = re.findall(r"^\|([^|\n]*)\|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [row.strip() for row in rows if row.strip() not in {"word", "---"}]
    assert sorted({word for word in words if words.count(word) > 1}) == []
