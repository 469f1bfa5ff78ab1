"""Commands on the database of a running service."""

from tests.api.service import PAIR, Service, basic
from tests.cli.conftest import Maskline


def test_commands_work_while_the_service_runs(maskline: Maskline, service: Service) -> None:
    """An account, a trunk and a number made by command serve the next request, without a restart."""
    where = ("--json", "--database-url", service.database_url, "--key-file", str(service.key_file))
    account = maskline("account", "create", "live", *where).json
    assert maskline("trunk", "add", "live", "--peer", "127.0.0.1:5099", *where).code == 0
    added = maskline("number", "add", "+912240000001", "--account", "live", "--trunk", "live", *where)
    assert added.json == {"numbers": ["+912240000001"]}

    path = f"/v1/Account/{account['auth_id']}/Masking/Session/"
    headers = basic(account["auth_id"], account["auth_token"])

    def create(last: int) -> tuple[int, str]:
        body = PAIR["first_party"], f"+91202555300{last}"
        answer = service.request(
            "POST",
            path,
            b'{"first_party": "%s", "second_party": "%s"}' % tuple(it.encode() for it in body),
            headers,
        )
        return answer.status, answer.body.get("virtual_number", "")

    assert create(1) == (201, "+912240000001")
    assert maskline("number", "drain", "+912240000001", *where).json["live_sessions"] == 1
    assert create(2)[0] == 400
    assert maskline("number", "remove", "+912240000001", "--force", *where).json["ended_sessions"] == 1
    listed = service.request("GET", f"{path}?status=active", headers=headers)
    assert listed.body["response"]["objects"] == []
