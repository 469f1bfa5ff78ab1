from __future__ import annotations

import pytest

from maskline.sip.header_names import LIST_HEADERS, SINGLE_HEADERS, canonical_name


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("v", "Via"),
        ("V", "Via"),
        ("VIA", "Via"),
        ("call-id", "Call-ID"),
        ("I", "Call-ID"),
        ("cSEQ", "CSeq"),
        ("www-authenticate", "WWW-Authenticate"),
        ("x", "Session-Expires"),
        ("x-maskline-source", "X-Maskline-Source"),
        ("X-FOO-bar", "X-Foo-Bar"),
        ("q", "Q"),
    ],
)
def test_names_have_one_spelling(written: str, canonical: str) -> None:
    """Compact forms and letter case fold into one spelling, which is its own canonical form."""
    assert canonical_name(written) == canonical
    assert canonical_name(canonical) == canonical


def test_no_list_may_stand_once_only() -> None:
    """A field is a list or single, never both."""
    assert not LIST_HEADERS & SINGLE_HEADERS
