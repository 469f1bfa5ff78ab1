"""Methods that take the fields of a model as keyword arguments.

The models of the native API are the only place that names a resource's fields. A method is written for the model and
called with its fields; a type checker sees the model's constructor.
"""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from pydantic import BaseModel, ValidationError

from maskline.client.errors import build_invalid

S = TypeVar("S")
M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")
P = ParamSpec("P")


def takes(model: Callable[P, M]) -> Callable[[Callable[[S, M], R]], Callable[Concatenate[S, P], R]]:
    """Make `method(self, model)` a method that is called with the model's fields.

    Calling it raises InvalidRequestError when they do not fit.
    """

    def decorate(method: Callable[[S, M], R]) -> Callable[Concatenate[S, P], R]:
        @wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return method(self, _build(model, *args, **kwargs))

        return _signed(call, method, model)

    return decorate


def takes_of_one(
    model: Callable[P, M],
) -> Callable[[Callable[[S, str, M], R]], Callable[Concatenate[S, str, P], R]]:
    """Likewise for `method(self, id, model)`, where `id` says which resource is meant."""

    def decorate(method: Callable[[S, str, M], R]) -> Callable[Concatenate[S, str, P], R]:
        @wraps(method)
        def call(self: S, id_: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return method(self, id_, _build(model, *args, **kwargs))

        return _signed(call, method, model)

    return decorate


def _build(model: Callable[P, M], *args: P.args, **kwargs: P.kwargs) -> M:
    try:
        return model(*args, **kwargs)
    except ValidationError as error:
        raise build_invalid(error) from None


def _signed(call: R, method: Callable[..., Any], model: Callable[..., Any]) -> R:
    """Give `call` the signature that `help` shows: the method's without the model, then the model's fields."""
    shown = [*signature(method).parameters.values()][:-1]
    before = [it.replace(kind=Parameter.POSITIONAL_ONLY) for it in shown]
    fields = [*signature(model).parameters.values()]
    cast("Any", call).__signature__ = signature(method).replace(parameters=[*before, *fields])
    return call
