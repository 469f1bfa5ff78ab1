"""What describes the dialects: to machines an OpenAPI document each, to people one page with all operations."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from html import escape
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

PATH: Final = "/docs"

Description = Mapping[str, Any]

# The page is our own and needs nothing: no script, no font, no address but the documents'.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options")
_HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Maskline</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #ddd; padding: .3rem .8rem .3rem 0; vertical-align: top }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } td { border-color: #444 } a { color: #8bf } }
</style></head><body>
<h1>Maskline</h1>
"""


def add_descriptions(app: Starlette, dialects: Mapping[str, Callable[[], Description]]) -> None:
    """Serve the documents and the page; anybody may ask for them.

    Each is made once, when it is first asked for: that takes a tenth of a second, in which no call would be heard.
    """
    described = {dialect: cache(describe) for dialect, describe in dialects.items()}
    page = cache(lambda: render_page({name: describe() for name, describe in described.items()}))
    for dialect, describe in described.items():
        app.router.routes.append(Route(document_path(dialect), _show(describe)))

    async def show_page(_request: Request) -> Response:
        return HTMLResponse(page(), headers={"Content-Security-Policy": _POLICY})

    app.router.routes.append(Route(PATH, show_page))


def document_path(dialect: str) -> str:
    """Where the document of a dialect is."""
    return f"{PATH}/{dialect}.json"


def render_page(documents: Mapping[str, Description]) -> str:
    """Write the page: for each document its title, its address, and a line for each operation."""
    return (
        _HEAD + "".join(_render(name, document) for name, document in documents.items()) + "</body></html>\n"
    )


def _show(describe: Callable[[], Description]) -> Callable[[Request], Any]:
    made = cache(lambda: bytes(JSONResponse(describe()).body))

    async def show_document(_request: Request) -> Response:
        return Response(made(), media_type=JSONResponse.media_type)

    return show_document


def _render(dialect: str, document: Description) -> str:
    path = document_path(dialect)
    lines = "".join(
        f"<tr><td><code>{method}&nbsp;{escape(path)}</code></td><td>{escape(summary)}</td></tr>\n"
        for method, path, summary in _operations(document)
    )
    title = escape(str(document["info"]["title"]))
    return f'<h2>{title}</h2>\n<p>OpenAPI: <a href="{path}">{path}</a></p>\n<table>\n{lines}</table>\n'


def _operations(document: Description) -> Iterator[tuple[str, str, str]]:
    """Method, path and summary of everything that can be done, in the document's order."""
    servers = document.get("servers") or [{"url": ""}]
    base = str(servers[0]["url"]).rstrip("/")
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield method.upper(), base + path, str(methods[method].get("summary", ""))
