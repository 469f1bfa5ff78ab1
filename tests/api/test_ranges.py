import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.ranges import Part, RangeOutcome, Unsatisfiable, Whole, choose_range

ETAG = '"abc"'
SIZES = st.integers(0, 50)
BYTES = bytes(range(50))


def choose(header: str | None, size: int, if_range: str | None = None) -> RangeOutcome:
    return choose_range(header, if_range, etag=ETAG, size=size)


def cut(data: bytes, wanted: RangeOutcome) -> bytes | None:
    match wanted:
        case Whole():
            return data
        case Part(first=first, byte_count=count):
            assert count > 0
            assert 0 <= first <= first + count <= len(data)
            return data[first : first + count]
        case Unsatisfiable():
            return None


@given(size=SIZES, first=st.integers(0, 60), last=st.integers(0, 60))
def test_from_first_to_last(size: int, first: int, last: int) -> None:
    """Both ends count; what lies beyond the file is not there."""
    data = BYTES[:size]
    expected: bytes | None = data[first : last + 1] or None
    if last < first:
        expected = data  # no valid range: as if there were none
    assert cut(data, choose(f"bytes={first}-{last}", size)) == expected


@given(size=SIZES, first=st.integers(0, 60))
def test_from_first_to_the_end(size: int, first: int) -> None:
    """An open range is the rest."""
    data = BYTES[:size]
    assert cut(data, choose(f"bytes={first}-", size)) == (data[first:] or None)


@given(size=SIZES, count=st.integers(0, 60))
def test_the_last_bytes(size: int, count: int) -> None:
    """A suffix longer than the file is the file."""
    data = BYTES[:size]
    assert cut(data, choose(f"bytes=-{count}", size)) == ((data[-count:] if count else b"") or None)


@given(header=st.text(max_size=40), size=SIZES)
def test_any_header_is_answered(header: str, size: int) -> None:
    """Nonsense gets the file, or a part of it, never an error."""
    found = cut(BYTES[:size], choose(header, size))
    assert found is None or found in BYTES[:size]


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=5-2", "bytes=+1-2",
     "bytes=0-1" + " " * 300, "bytes=1-2-3", "bytes=\u0661-\u0662"],
)  # fmt: skip
def test_what_is_no_single_range_is_passed_over(header: str | None) -> None:
    """The whole file is a right answer to every GET."""
    assert choose(header, 50) == Whole()


@pytest.mark.parametrize("header", ["bytes=2-3", "BYTES=2-3", " bytes= 2-3 "])
def test_spelling_does_not_matter(header: str) -> None:
    """Units are told in any letter case, with blanks around."""
    assert choose(header, 50) == Part(first=2, byte_count=2)


@pytest.mark.parametrize(
    ("if_range", "is_part"),
    [
        (ETAG, True),
        (f" {ETAG} ", True),
        ('"other"', False),
        (f"W/{ETAG}", False),
        ("Wed, 21 Oct 2026 07:28:00 GMT", False),
    ],
)
def test_range_of_another_version(if_range: str, is_part: bool) -> None:
    """A part is sent only of the file that the client has the rest of."""
    assert isinstance(choose("bytes=1-2", 50, if_range), Part if is_part else Whole)
