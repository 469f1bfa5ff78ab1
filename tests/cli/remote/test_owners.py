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
