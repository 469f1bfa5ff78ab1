"""What the other samples' clients send, for runtimes that no package of Debian, PyPI or npm brings.

That of axios 0.21 was captured. The other heads are written by hand, from how these clients are known to behave: none
was captured or compared with its client, and versions and the order of lines are examples. Bodies are the page's;
lengths are right, as from a library that overwrites the printed header.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Lines of a head besides request line, Host and Content-Length; `body` with the page's placeholders."""

    headers: tuple[str, ...]
    body: str


_ONE_LINE: Final = (
    '{"ssid": "{{ssid}}","m1": {{m1}},"m2": {{m2}},"eventId": "customer_support_123","expiry_duration": 1440}'
)
_INDENTED: Final = (
    '{\n "ssid": "{{ssid}}",\n "m1": {{m1}},\n "m2": {{m2}},\n'
    ' "eventId": "customer_support_123",\n "expiry_duration": 1440\n}'
)
_FORM: Final = "Content-Type: application/x-www-form-urlencoded"

REPLAYS: Final = {
    "axios 0.21": Replay(
        headers=(
            "Accept: application/json, text/plain, */*",
            _FORM,
            "User-Agent: axios/0.21.4",
            "Connection: keep-alive",
        ),
        body=_ONE_LINE,
    ),
    "csharp-restsharp": Replay(
        headers=(
            "Accept: application/json, text/json, text/x-json, text/javascript, application/xml, text/xml",
            "User-Agent: RestSharp/106.15.0.0",
            "Content-Type: text/plain",
            "Accept-Encoding: gzip, deflate",
            "Expect: 100-continue",  # of the .NET Framework
            "Connection: Keep-Alive",
        ),
        body=_INDENTED,
    ),
    "dart-http": Replay(
        headers=(
            "user-agent: Dart/3.5 (dart:io)",
            "accept-encoding: gzip",
            "content-type: text/plain; charset=utf-8",
        ),
        body=_INDENTED,
    ),
    "http": Replay(headers=(), body=_INDENTED.replace("\n ", "\n")),
    "objective-c-nsurlsession": Replay(
        headers=(_FORM, "Accept: */*", "Accept-Language: en-us", "User-Agent: sample/1 CFNetwork/1490.0.4"),
        body=_INDENTED,
    ),
    "ocaml-cohttp": Replay(headers=("user-agent: ocaml-cohttp/5.3.1",), body=_INDENTED),
    "php-http-request2": Replay(
        headers=(
            "User-Agent: HTTP_Request2/2.5.1 (http://pear.php.net/package/http_request2) PHP/8.2.7",
            "Accept-Encoding: gzip, deflate",
            "Connection: close",
            _FORM,
        ),
        body=_ONE_LINE,
    ),
    "powershell": Replay(
        headers=("User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1", _FORM),
        body=_INDENTED,
    ),
    "swift-urlsession": Replay(
        headers=(
            _FORM,
            "Accept: */*",
            "Accept-Encoding: deflate, gzip",
            "User-Agent: sample (unknown version)",
        ),
        body=_INDENTED,
    ),
}


def write_request(replay: Replay, host: str, values: dict[str, str]) -> bytes:
    """The bytes of a request to a host as Host has it."""
    text = replay.body
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    body = text.encode()
    lines = (
        "POST /api/v2/Masking/set HTTP/1.1",
        f"Host: {host}",
        *replay.headers,
        f"Content-Length: {len(body)}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body
