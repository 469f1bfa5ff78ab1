"""Find out what a dialled number means to a caller."""

from maskline.core.numbers import E164
from maskline.core.routing import RouteFacts
from maskline.store import routes
from maskline.store.engine import Tx


def route_call(tx: Tx, dialled: str, caller: E164 | None, now: int) -> RouteFacts:
    """Load the facts `decide_route` decides on; `dialled` as `+E164`, `caller` None when withheld.

    One indexed statement for a registered caller, which compares windows with `now` and never asks what was
    released; one more for strangers, where a PIN is forced, and for the party of a one-party session.
    """
    return routes.load_route(tx, dialled, caller, now)
