"""The table of what the native dialect offers: one row for each operation, from which app and description are made."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.models.common import ID_LENGTH_MAX, NAME_LENGTH_MAX
from maskline.api.native.parsing import parse_body, parse_query
from maskline.core.access import Caller, Permission, Reach
from maskline.core.inventory import Account

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request whose sender is known and may do what is asked. `body` is empty where the method has none."""

    request: Request
    caller: Caller
    body: bytes = b""

    @property
    def account(self) -> Account:
        """For whom it is, with `subaccount` set where only that one's things may be seen.

        Only for operations of a reach that needs an account.
        """
        assert self.caller.account is not None, "the kernel refuses callers without account"
        return self.caller.account

    def path(self, name: str = "id") -> str:
        """A part of the path; what no id of ours can be is answered like one that is not there."""
        text: str = self.request.path_params[name]
        if not 0 < len(text) <= ID_LENGTH_MAX or not text.isascii() or not text.isprintable():
            raise NativeError("not-found")
        return text

    def name(self, name: str = "name") -> str:
        """A part of the path that people named; what is no name is answered like one that is not there."""
        text: str = self.request.path_params[name]
        if not 0 < len(text) <= NAME_LENGTH_MAX or not text.isprintable():
            raise NativeError("not-found")
        return text

    def read(self, model: type[T]) -> T:
        """The body. Raises NativeError."""
        return parse_body(model, self.body)

    def query(self, model: type[T]) -> T:
        """The query. Raises NativeError."""
        return parse_query(model, self.request.query_params.multi_items())


Operation = Callable[[Asked], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation; its docstring is its description.

    `path` is relative to the prefix, with `{id}` for its parts. `permission` None is what everybody may who is known.
    `request`, `query` and `response` are models; without `query` every parameter is refused. `problems` are the codes
    that only this operation has.
    """

    path: str
    method: str
    name: str
    operation: Operation
    permission: Permission | None
    reach: Reach = Reach.ACCOUNT
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    status: int = 200
    media_type: str = "application/json"
    streams: bool = False
    """Whether it also answers with a stream of events, to whoever accepts that."""
    problems: Sequence[str] = ()
