"""An event as a stream brings it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """Something that happened: `data` is the body that a webhook would have been sent (docs/api/webhooks.md).

    `id` is where a stream goes on after it, `kind` is its name, such as `call.finished`. The body may have people's
    numbers and is not shown by `repr`.
    """

    id: str
    kind: str
    data: Mapping[str, Any] = field(repr=False)
