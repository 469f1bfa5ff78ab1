"""The code samples of the vendor's page, and what each needs to be a program against our server.

`page/` has them letter by letter as the page has them, but for the indentation that it lost. Replaced are
`{{brand}}`, `{{ssid}}`, `{{m1}}` and `{{m2}}`, as their users would, and what `changes` names, each with its reason.

Source: Sarv DeepCall v2, Masking, Set (2026).
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parent / "page"
JARS: Final = "/usr/share/java/okhttp.jar:/usr/share/java/okio.jar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Text of a sample that is replaced, and why."""

    old: str
    new: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample as a program. In commands `{file}` is the program, `{here}` the directory it is in.

    `before` and `after` are what the page lost or never had around it.
    """

    page: str
    file: str
    programs: tuple[str, ...]
    run: tuple[str, ...]
    build: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    changes: tuple[Change, ...] = ()
    is_tls: bool = False
    """Whether it speaks TLS whatever stands in the place of the host."""
    needs_node_modules: bool = False
    needs_files: tuple[str, ...] = ()
    """Libraries beside the programs, and in `packages` what brings them."""
    packages: str = ""


def read_page(name: str) -> str:
    """A sample as it stands on the page."""
    return (PAGE / f"{name}.txt").read_text()


def write_program(sample: Sample, brand: str, values: dict[str, str]) -> str:
    """The text of the program; `brand` stands where the page says so, as URLs escape it too."""
    text = read_page(sample.page)
    for change in sample.changes:
        assert change.old in text, "what is changed is on the page"
        text = text.replace(change.old, change.new)
    for placeholder, value in {"{{brand}}": brand, "%7B%7Bbrand%7D%7D": brand, **values}.items():
        text = text.replace(placeholder, value)
    assert "{{" not in text, "nothing is left to replace"
    return sample.before + text + sample.after


_EMPTY_LENGTH: Final = "the library sends the empty Content-Length as it is told, which is no HTTP"

AXIOS: Final = Sample(
    page="axios",
    file="sample.js",
    programs=("node",),
    run=("node", "{file}"),
    needs_node_modules=True,
)
FETCH: Final = Sample(page="fetch", file="sample.js", programs=("node",), run=("node", "{file}"))
PYTHON: Final = Sample(
    page="python-http-client",
    file="sample.py",
    programs=(),
    run=(sys.executable, "{file}"),
    is_tls=True,
)
LIBCURL: Final = Sample(
    page="c-libcurl",
    file="sample.c",
    programs=("gcc",),
    build=("gcc", "-o", "{here}/sample", "{file}", "-lcurl"),
    run=("{here}/sample",),
    before="#include <curl/curl.h>\nint main(void) {\n",
    after="return (int) res;\n}\n",
    needs_files=("/usr/include/x86_64-linux-gnu/curl/curl.h", "/usr/include/aarch64-linux-gnu/curl/curl.h"),
    packages="libcurl4-openssl-dev",
)

AS_PRINTED: Final = {
    "curl": Sample(page="curl", file="sample.sh", programs=("curl",), run=("sh", "{file}")),
    "go-net-http": Sample(
        page="go-net-http",
        file="sample.go",
        programs=("gccgo",),
        build=("gccgo", "-o", "{here}/sample", "{file}"),
        run=("{here}/sample",),
    ),
    "httpie": Sample(page="httpie", file="sample.sh", programs=("http",), run=("sh", "{file}")),
    "java-okhttp": Sample(
        page="java-okhttp",
        file="Sample.java",
        programs=("javac", "java"),
        build=("javac", "-cp", JARS, "-d", "{here}", "{file}"),
        run=("java", "-cp", JARS + ":{here}", "Sample"),
        before="import okhttp3.*;\npublic class Sample {\npublic static void main(String[] args) throws Exception {\n",
        after="System.out.println(response.body().string());\n}\n}\n",
        needs_files=("/usr/share/java/okhttp.jar",),
        packages="libokhttp-java",
    ),
    "ruby-net-http": Sample(
        page="ruby-net-http", file="sample.rb", programs=("ruby",), run=("ruby", "{file}")
    ),
}
"""Those that run as they are printed: their libraries write the length themselves."""


def _without(sample: Sample, old: str, why: str) -> Sample:
    return Sample(
        page=sample.page,
        file=sample.file,
        programs=sample.programs,
        run=sample.run,
        build=sample.build,
        before=sample.before,
        after=sample.after,
        is_tls=sample.is_tls,
        needs_node_modules=sample.needs_node_modules,
        needs_files=sample.needs_files,
        packages=sample.packages,
        changes=(Change(old=old, new="", why=why),),
    )


WITHOUT_LENGTH: Final = {
    "axios": _without(AXIOS, "'Content-Length': ''\n", f"in its version 1 {_EMPTY_LENGTH}"),
    "fetch": _without(
        FETCH,
        'myHeaders.append("Content-Length", "");\n',
        "browsers drop this header, which scripts may not set; Node refuses to send it",
    ),
    "python-http-client": _without(PYTHON, "'Content-Length': ''\n", _EMPTY_LENGTH),
    "c-libcurl": _without(
        LIBCURL,
        'headers = curl_slist_append(headers, "Content-Length: ");\n',
        "to libcurl a header without value means none: the request says nothing of its body",
    ),
}
"""Those that no HTTP server can understand as they are printed, without the line at fault."""
