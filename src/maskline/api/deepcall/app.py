"""Routing of the DeepCall dialect as Express does it: any letter case, with or without a final slash, no redirect.

What Express has no route for it answers with 404, other methods included; here the body is the dialect's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi import Request, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from maskline.api.deepcall import answers
from maskline.api.deepcall.click_to_call import AGENT_PATH, CLICK_METHODS, FROM_TO_PATHS, ClickToCallAPI
from maskline.api.deepcall.errors import Code, DeepCallError
from maskline.api.deepcall.kernel import DeepCallKernel, Operation
from maskline.api.deepcall.masking import MaskingAPI
from maskline.api.deepcall.masklist import MasklistAPI

PREFIXES = ("/api/v2", "/deepcall/api/v2")
NOT_FOUND = "There is nothing at this path and method"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What is served, by folded path and method; `prefixes` are answered for whatever is below them."""

    prefixes: tuple[str, ...]
    by_path: dict[str, dict[str, Operation]] = field(default_factory=dict)

    def add(self, path: str, methods: Iterable[str], operation: Operation) -> None:
        """Serve `operation` at `path`, which is given in any letter case and without the final slash."""
        by_method = self.by_path.setdefault(fold_path(path), {})
        for method in methods:
            by_method[method] = operation


class DeepCallRoute(BaseRoute):
    """One route for all of the dialect, since the framework's own tell letter cases apart."""

    def __init__(self, kernel: DeepCallKernel, operations: Operations) -> None:
        self._operations = operations
        self._refuse = kernel.endpoint("none", _refuse)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the path is one of the dialect's or below one of its prefixes."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = fold_path(scope["path"])
        is_ours = path in self._operations.by_path or any(
            path == prefix or path.startswith(prefix + "/") for prefix in self._operations.prefixes
        )
        return (Match.FULL, {}) if is_ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        request = Request(scope, receive, send)
        if request.method == "OPTIONS":
            response = answers.preflight()
        else:
            by_method = self._operations.by_path.get(fold_path(scope["path"]), {})
            # As in Express, whatever answers GET answers HEAD.
            operation = by_method.get("GET" if request.method == "HEAD" else request.method, self._refuse)
            response = await operation(request)
        await response(scope, receive, send)


def create_deepcall_route(kernel: DeepCallKernel) -> DeepCallRoute:
    """The route to add to the application."""
    operations = Operations(prefixes=PREFIXES)
    masking, masklist = MaskingAPI(kernel), MasklistAPI(kernel)
    for prefix in PREFIXES:
        operations.add(f"{prefix}/Masking/set", ["POST"], kernel.endpoint("set", masking.set))
        operations.add(f"{prefix}/Masking/unset", ["POST"], kernel.endpoint("unset", masking.unset))
        operations.add(f"{prefix}/callreport/masklist", ["POST"], kernel.endpoint("masklist", masklist.list))
    clicks = ClickToCallAPI(kernel)
    for path in FROM_TO_PATHS:
        operations.add(path, CLICK_METHODS, kernel.endpoint("click_to_call", clicks.call_from_to))
    operations.add(
        AGENT_PATH, CLICK_METHODS, kernel.endpoint("click_to_call", clicks.call_agent_and_customer)
    )
    return DeepCallRoute(kernel, operations)


def fold_path(path: str) -> str:
    """Small letters, single slashes, none at the end."""
    return "/" + "/".join(part for part in path.lower().split("/") if part)


async def _refuse(_request: Request) -> Response:
    raise DeepCallError(Code.INVALID, NOT_FOUND, status=404)
