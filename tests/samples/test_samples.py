"""Every code sample of the vendor's page against our server: run where its runtime is to be had, else replayed."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maskline.api.protocol import LENGTH_UNREADABLE, MALFORMED
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant, give_credentials
from tests.api.service import Service
from tests.certificates import make_authority, make_certificate
from tests.peers import need
from tests.samples.front import serve_tls
from tests.samples.replays import REPLAYS, write_request
from tests.samples.samples import (
    AS_PRINTED,
    AXIOS,
    FETCH,
    LIBCURL,
    PAGE,
    PYTHON,
    WITHOUT_LENGTH,
    Sample,
    write_program,
)
from tests.webhooks.node_sdk import node_modules

PROGRAM_S = 60.0  # compilers on a busy machine; a sample itself takes milliseconds


@pytest.fixture
def service(sqlite_url: str, key_path: Path) -> Iterator[Service]:
    """A service of a test's own."""
    running = Service(sqlite_url, key_path)
    yield running
    running.close()


@pytest.fixture
def deepcall(service: Service) -> DeepCallTenant:
    """An account with numbers and an ssid."""
    return give_credentials(service.new_account())


class Runner:
    """Makes programs of samples and runs them against one account's service."""

    def __init__(self, deepcall: DeepCallTenant, directory: Path) -> None:
        self.deepcall = deepcall
        self.directory = directory
        self.values = {"{{ssid}}": deepcall.ssid, "{{m1}}": M1, "{{m2}}": M2}

    def run(self, sample: Sample) -> subprocess.CompletedProcess[str]:
        """Run a sample; whatever it prints comes back."""
        _need(sample)
        if not sample.is_tls:
            return self._run(sample, f"http://127.0.0.1:{self.deepcall.service.port}", {})
        authority = make_authority(self.directory)
        pair = make_certificate(self.directory, authority, "localhost")
        with serve_tls(pair.cert_path, pair.key_path, self.deepcall.service.port) as port:
            return self._run(sample, f"localhost:{port}", {"SSL_CERT_FILE": str(authority.cert_path)})

    def _run(self, sample: Sample, brand: str, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
        file = self.directory / sample.file
        file.write_text(write_program(sample, brand, self.values))
        # Nothing of the surroundings but where programs are: no proxies, no settings of somebody's.
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), **given}
        if sample.needs_node_modules:
            environment["NODE_PATH"] = str(node_modules())
        done = None
        for command in (sample.build, sample.run):
            if command:
                done = subprocess.run(
                    [part.format(file=file, here=self.directory) for part in command],
                    capture_output=True,
                    text=True,
                    timeout=PROGRAM_S,
                    check=False,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                )
                assert command is sample.run or done.returncode == 0, done.stderr
        assert done is not None
        return done


@pytest.fixture
def runner(deepcall: DeepCallTenant, tmp_path: Path) -> Runner:
    """Runs samples for a fresh account."""
    return Runner(deepcall, tmp_path)


def _need(sample: Sample) -> None:
    """Skip, or in CI fail, where the sample's runtime or library is missing."""
    need(*sample.programs)
    if sample.needs_files and not any(Path(file).exists() for file in sample.needs_files):
        how = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        how(f"{sample.packages} not installed: sudo apt-get install {sample.packages}")


def _json_in(text: str) -> Any:
    """The one JSON object that a program printed."""
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def _check_set(runner: Runner, told: Any) -> None:
    """The answer is that of a mask that stands for the page's values."""
    assert (told["status"], told["code"]) == ("success", 200)
    [listed] = runner.deepcall.call("callreport/masklist").body["data"]["masks"]
    assert listed["mask"] == told["mask"]
    assert (listed["m1"], listed["m2"]) == (f"91{M1}", f"91{M2}")
    assert listed["eventId"] == "customer_support_123"


def test_every_sample_of_the_page_is_here() -> None:
    """Each is run as it is printed, or without its one faulty line, or replayed; some of them twice."""
    taken = {it.page for it in (*AS_PRINTED.values(), *WITHOUT_LENGTH.values())}
    assert {file.stem for file in PAGE.iterdir()} == taken | (REPLAYS.keys() - {"axios 0.21"})


@pytest.mark.parametrize("sample", AS_PRINTED.values(), ids=AS_PRINTED.keys())
def test_sample_runs_as_it_is_printed(runner: Runner, sample: Sample) -> None:
    """With nothing but host and values put in, it sets a mask."""
    done = runner.run(sample)
    _check_set(runner, _json_in(done.stdout))


@pytest.mark.parametrize("sample", WITHOUT_LENGTH.values(), ids=WITHOUT_LENGTH.keys())
def test_sample_runs_without_its_faulty_line(runner: Runner, sample: Sample) -> None:
    """What no HTTP server can understand works once the empty length is gone."""
    done = runner.run(sample)
    _check_set(runner, _json_in(done.stdout))


def test_empty_length_is_no_http(runner: Runner) -> None:
    """Clients that send it get a clear 400; nobody could say where such a request ends."""
    told = json.loads(runner.run(PYTHON).stdout)
    assert told["error"] == LENGTH_UNREADABLE
    said = runner.run(AXIOS)
    assert "400" in said.stdout
    assert runner.deepcall.call("callreport/masklist").body["data"]["total"] == 0


def test_node_does_not_send_it(runner: Runner) -> None:
    """Node's fetch refuses before anything is sent."""
    done = runner.run(FETCH)
    assert "invalid content-length header" in done.stdout + done.stderr


def test_libcurl_sends_no_length(runner: Runner) -> None:
    """So that the request has no body, and what follows it is no request; which is said first is chance."""
    told = _json_in(runner.run(LIBCURL).stdout)
    assert told.get("code") == 1047 or told.get("error") == MALFORMED
    assert runner.deepcall.call("callreport/masklist").body["data"]["total"] == 0


@pytest.mark.parametrize("name", REPLAYS)
def test_replayed_request_sets_a_mask(runner: Runner, name: str) -> None:
    """The bytes of clients that cannot be had here are understood."""
    port = runner.deepcall.service.port
    sent = write_request(REPLAYS[name], f"127.0.0.1:{port}", runner.values)
    with socket.create_connection(("127.0.0.1", port), PROGRAM_S) as connection:
        connection.sendall(sent)
        reader = connection.makefile("rb")
        status = reader.readline()
        while b" 100 " in status:
            while reader.readline().strip():
                pass
            status = reader.readline()
        length = 0
        while line := reader.readline().strip():
            name_, _, value = line.partition(b":")
            if name_.lower() == b"content-length":
                length = int(value)
        assert b" 200 " in status
        _check_set(runner, json.loads(reader.read(length)))
