import httpx
import pytest
from tests.cli.remote.conftest import Sides

from maskline.cli.remote.owners import act_for, find_account
from maskline.client import Client
from maskline.errors import RefusedError


def test_accounts_are_found_by_name_and_auth_id(owned: Sides) -> None:
    """A name that is nobody's is refused."""
    with Client(owned.server, api_key=owned.key_file.read_text().strip()) as client:
        demo = find_account(client, "demo")
        assert find_account(client, demo.auth_id) == demo
        assert act_for(client, "demo").accounts.own().auth_id == demo.auth_id
        with pytest.raises(RefusedError):
            find_account(client, "nobody")


class Counting(httpx.HTTPTransport):
    """Notes which paths are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        return super().handle_request(request)


def test_an_auth_id_is_asked_for_at_once(owned: Sides) -> None:
    """However many accounts there are; what only looks like one may be a name."""
    look_alike = "MA" + "x" * 18
    assert owned.there("account", "create", look_alike).code == 0
    counting = Counting()
    key = owned.key_file.read_text().strip()
    with Client(owned.server, api_key=key, http_transport=counting) as client:
        auth_id = find_account(client, "demo").auth_id
        counting.paths.clear()
        assert find_account(client, auth_id).name == "demo"
        assert counting.paths == [f"/maskline/v1/accounts/{auth_id}"]
        assert find_account(client, look_alike).name == look_alike
