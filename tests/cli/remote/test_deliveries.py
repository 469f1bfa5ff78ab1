from tests.cli.remote.conftest import Sides

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


def test_unusable_webhooks_are_refused_alike(owned: Sides) -> None:
    """A URL that nothing is sent to, and an eleventh webhook."""
    assert owned.same("webhook", "add", "demo", "ftp://hooks.example.com/").code == 2
    for _ in range(10):
        assert owned.there("webhook", "add", "demo", URL).code == 0
    assert owned.same("webhook", "add", "demo", URL).code == 1
