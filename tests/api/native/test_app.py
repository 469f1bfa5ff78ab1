"""The dialect as a whole."""

from tests.api.native.asking import by_token, check_problem
from tests.api.service import Service, Tenant


def test_unknown_paths_and_methods_are_problems_too(tenant: Tenant) -> None:
    """Whatever is asked below the prefix is answered in the dialect's form."""
    check_problem(by_token(tenant).ask("GET", "/nothing"), 404, "not-found")
    check_problem(by_token(tenant).ask("GET", "/deliveries/" + "x" * 99), 404, "not-found")
    answer = by_token(tenant).ask("PUT", "/deliveries")
    check_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_the_interface_is_described(service: Service) -> None:
    """The description names every operation of the table."""
    paths = service.request("GET", "/docs/native.json").body["paths"]
    assert {"list_webhooks", "replay_delivery"} <= {
        operation["operationId"] for path in paths.values() for operation in path.values()
    }
