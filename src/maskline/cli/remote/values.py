"""Values of the interface in the form that everything else of ours has."""

from datetime import datetime

from maskline.clock import from_datetime


def optional_micros(moment: datetime | None) -> int | None:
    """Microseconds UTC of an instant; None stays None."""
    return None if moment is None else from_datetime(moment)
