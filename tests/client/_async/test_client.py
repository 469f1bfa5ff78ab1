import pytest
from tests.client.conftest import Site

from maskline.client import (
    AsyncClient,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotPermittedError,
    Permission,
)


def of_operator(site: Site, account: str | None = None) -> AsyncClient:
    return AsyncClient(site.server, api_key=site.operator_key, account=account)


def of_account(site: Site) -> AsyncClient:
    return AsyncClient(site.server, auth_id=site.tenant.auth_id, auth_token=site.tenant.token)


async def test_a_key_is_made_used_and_ended(site: Site) -> None:
    """Its secret is shown once and opens what it may, a revoked one nothing."""
    async with of_operator(site, site.tenant.auth_id) as operator:
        made = await operator.keys.create(name="reader", permissions=[Permission.WEBHOOKS_READ])
        assert (made.account, made.permissions) == (site.tenant.auth_id, [Permission.WEBHOOKS_READ])
        assert made.secret.reveal() not in repr(made)
        assert [key.id async for key in operator.keys.list()] == [made.id]
        async with AsyncClient(site.server, api_key=made.secret) as reader:
            assert [it async for it in reader.webhooks.list()] == []
            with pytest.raises(NotPermittedError):
                await reader.webhooks.create(url="https://hooks.example.com/x")
        ended = await operator.keys.create(name="ended", permissions=[Permission.WEBHOOKS_READ])
        await operator.keys.revoke(ended.id)
    async with AsyncClient(site.server, api_key=ended.secret) as reader:
        with pytest.raises(NotAuthenticatedError):
            await reader.webhooks.list().page()


async def test_lists_are_walked_through_page_by_page(site: Site) -> None:
    """A limit is the length of a page; all things come, once each."""
    async with of_operator(site, site.tenant.auth_id) as operator:
        made = [
            (await operator.keys.create(name=f"key {index}", permissions=[Permission.CALLS_READ])).id
            for index in range(5)
        ]
        listed = [key.id async for key in operator.keys.list(limit=2)]
        assert sorted(listed) == sorted(made)
        page = await operator.keys.list(limit=2).page()
        assert len(page.data) == 2
        assert page.next is not None
        assert (await operator.keys.list(limit=2).page(page.next)).data[0].id == listed[2]


async def test_an_account_speaks_for_itself(site: Site) -> None:
    """With its auth id and token."""
    async with of_account(site) as client:
        made = await client.webhooks.create(url="https://hooks.example.com/x", include_numbers=True)
        assert made.secret.reveal().startswith("whsec_")
        assert [it.id async for it in client.webhooks.list()] == [made.id]
        await client.webhooks.delete(made.id)
        with pytest.raises(NotFoundError):
            await client.webhooks.delete(made.id)
        with pytest.raises(NotFoundError):
            await client.deliveries.get("../webhooks")


async def test_a_refusal_says_where(site: Site) -> None:
    """By pointer, whether the client saw it or the service did."""
    async with of_account(site) as client:
        with pytest.raises(InvalidRequestError) as here:
            await client.deliveries.list(limit=1000).page()
        with pytest.raises(InvalidRequestError) as there:
            await client.webhooks.create(url="ftp://hooks.example.com")
    assert [it.pointer for it in here.value.errors] == ["/limit"]
    assert there.value.code == "url-refused"


async def test_a_lost_answer_is_not_a_second_webhook(site: Site) -> None:
    """The same key twice is one piece of work and one answer; with another body it is refused."""
    async with of_account(site) as client:
        once = client.with_options(idempotency_key="only-once")
        first = await once.webhooks.create(url="https://hooks.example.com/x")
        again = await once.webhooks.create(url="https://hooks.example.com/x")
        assert (first.id, first.secret) == (again.id, again.secret)
        assert len([it async for it in client.webhooks.list()]) == 1
        with pytest.raises(InvalidRequestError) as caught:
            await once.webhooks.create(url="https://hooks.example.com/y")
    assert caught.value.code == "idempotency-mismatch"


async def test_secrets_are_not_shown(site: Site) -> None:
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
    await client.close()


async def test_wrong_servers_and_keys_are_found_at_once() -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError):
        AsyncClient("maskline.test", api_key="mk_x")
    with pytest.raises(ValueError):
        AsyncClient("https://maskline.test")
