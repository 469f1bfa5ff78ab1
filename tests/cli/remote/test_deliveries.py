from tests.cli.remote.conftest import Sides

from maskline.core.delivery import EndpointCheck

URL = "https://hooks.example.com/maskline"


def test_webhooks_are_added_listed_and_removed(owned: Sides) -> None:
    """With one secret, shown once."""
    made = owned.there("webhook", "add", "demo", URL, "--event", "call.finished", "--json").json
    assert made["secret"].startswith("whsec_")
    assert owned.there("webhook", "add", "demo", URL, "--include-numbers").code == 0
    listed = owned.same("webhook", "list", "demo").json
    assert [it["events"] for it in listed] == [["call.finished"], ["all"]]
    assert owned.there("webhook", "remove", "demo", made["webhook"]).code == 0
    assert len(owned.same("webhook", "list", "demo").json) == 1
    assert owned.same("webhook", "remove", "demo", made["webhook"]).code == 1


def test_receivers_of_reports_confirm_to_the_service(owned: Sides) -> None:
    """It is the service that asks; what it was answered is said here, and where it was good there is a webhook."""
    tokens = ("webhook", "add", "demo", URL + "/reports", "--format", "deepcall", "--json")
    for found, said in (
        (EndpointCheck.UNREACHABLE, "could not be reached"),
        (EndpointCheck.WRONG_STATUS, "200 to 299"),
        (EndpointCheck.WRONG_WORD, "the word"),
    ):
        owned.service.receivers[URL + "/reports"] = found
        result = owned.there(*tokens)
        assert (result.code, said in result.err) == (1, True)
    owned.service.receivers[URL + "/reports"] = EndpointCheck.CONFIRMED
    assert owned.there(*tokens).json["format"] == "deepcall"
    assert [it["format"] for it in owned.same("webhook", "list", "demo").json] == ["deepcall"]


def test_unusable_webhooks_are_refused_alike(owned: Sides) -> None:
    """A URL that nothing is sent to, and an eleventh webhook."""
    assert owned.same("webhook", "add", "demo", "ftp://hooks.example.com/").code == 2
    for _ in range(10):
        assert owned.there("webhook", "add", "demo", URL).code == 0
    assert owned.same("webhook", "add", "demo", URL).code == 1
