"""A refusal as a value, for properties that hold for results and refusals alike."""

from collections.abc import Callable
from typing import Any, TypeVar

from maskline.api.plivo.errors import PlivoError

T = TypeVar("T")


def outcome(function: Callable[..., T], *args: Any, **kwargs: Any) -> T | PlivoError:
    try:
        return function(*args, **kwargs)
    except PlivoError as error:
        return error
