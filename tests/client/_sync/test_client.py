# Made by tools/make-client; change the asynchronous one instead.
import pytest
from tests.client.conftest import Site

from maskline.client import (
    Client,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotPermittedError,
    Permission,
)


def of_operator(site: Site, account: str | None = None) -> Client:
    return Client(site.server, api_key=site.operator_key, account=account)


def of_account(site: Site) -> Client:
    return Client(site.server, auth_id=site.tenant.auth_id, auth_token=site.tenant.token)


def test_a_key_is_made_used_and_ended(site: Site) -> None:
    """Its secret is shown once and opens what it may, a revoked one nothing."""
    with of_operator(site, site.tenant.auth_id) as operator:
        made = operator.keys.create(name="reader", permissions=[Permission.WEBHOOKS_READ])
        assert (made.account, made.permissions) == (site.tenant.auth_id, [Permission.WEBHOOKS_READ])
        assert made.secret.reveal() not in repr(made)
        assert [key.id for key in operator.keys.list()] == [made.id]
        with Client(site.server, api_key=made.secret) as reader:
            assert [it for it in reader.webhooks.list()] == []
            with pytest.raises(NotPermittedError):
                reader.webhooks.create(url="https://hooks.example.com/x")
        ended = operator.keys.create(name="ended", permissions=[Permission.WEBHOOKS_READ])
        operator.keys.revoke(ended.id)
    with Client(site.server, api_key=ended.secret) as reader:
        with pytest.raises(NotAuthenticatedError):
            reader.webhooks.list().page()


def test_lists_are_walked_through_page_by_page(site: Site) -> None:
    """A limit is the length of a page; all things come, once each."""
    with of_operator(site, site.tenant.auth_id) as operator:
        made = [
            (operator.keys.create(name=f"key {index}", permissions=[Permission.CALLS_READ])).id
            for index in range(5)
        ]
        listed = [key.id for key in operator.keys.list(limit=2)]
        assert sorted(listed) == sorted(made)
        page = operator.keys.list(limit=2).page()
        assert len(page.data) == 2
        assert page.next is not None
        assert (operator.keys.list(limit=2).page(page.next)).data[0].id == listed[2]


def test_an_account_speaks_for_itself(site: Site) -> None:
    """With its auth id and token."""
    with of_account(site) as client:
        made = client.webhooks.create(url="https://hooks.example.com/x", include_numbers=True)
        assert made.secret.reveal().startswith("whsec_")
        assert [it.id for it in client.webhooks.list()] == [made.id]
        client.webhooks.delete(made.id)
        with pytest.raises(NotFoundError):
            client.webhooks.delete(made.id)
        with pytest.raises(NotFoundError):
            client.deliveries.get("../webhooks")


def test_a_refusal_says_where(site: Site) -> None:
    """By pointer, whether the client saw it or the service did."""
    with of_account(site) as client:
        with pytest.raises(InvalidRequestError) as here:
            client.deliveries.list(limit=1000).page()
        with pytest.raises(InvalidRequestError) as there:
            client.webhooks.create(url="ftp://hooks.example.com")
    assert [it.pointer for it in here.value.errors] == ["/limit"]
    assert there.value.code == "url-refused"


def test_a_lost_answer_is_not_a_second_webhook(site: Site) -> None:
    """The same key twice is one piece of work and one answer; with another body it is refused."""
    with of_account(site) as client:
        once = client.with_options(idempotency_key="only-once")
        first = once.webhooks.create(url="https://hooks.example.com/x")
        again = once.webhooks.create(url="https://hooks.example.com/x")
        assert (first.id, first.secret) == (again.id, again.secret)
        assert len([it for it in client.webhooks.list()]) == 1
        with pytest.raises(InvalidRequestError) as caught:
            once.webhooks.create(url="https://hooks.example.com/y")
    assert caught.value.code == "idempotency-mismatch"


def test_secrets_are_not_shown(site: Site) -> None:
    """Neither by the client nor by what it holds."""
    client = of_operator(site)
    shown = (
        repr(client)
        + repr(vars(client))
        + repr(vars(client._transport))
        + repr(vars(client._transport._http))
    )
    assert site.operator_key not in shown
    assert "127.0.0.1" in repr(client)
    client.close()


def test_wrong_servers_and_keys_are_found_at_once() -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError):
        Client("maskline.test", api_key="mk_x")
    with pytest.raises(ValueError):
        Client("https://maskline.test")
