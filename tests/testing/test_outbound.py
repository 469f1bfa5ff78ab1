import pytest

from maskline.outbound.types import (
    FailureReason,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundResponse,
    RefusalReason,
)
from maskline.testing.outbound import FakeOutbound

LIMITS = OutboundLimits(total_s=1, connect_s=1, read_s=1, response_bytes_max=3)
URL = "https://hooks.example/a"


async def _post(fake: FakeOutbound, url: str = URL, limits: OutboundLimits = LIMITS) -> OutboundResponse:
    return await fake.request("POST", url, headers={"X-A": "b"}, body=b"{}", limits=limits)


async def test_answers_come_in_their_order_and_the_last_stays() -> None:
    """Each scripted answer is given once, the last for ever; requests are recorded."""
    fake = FakeOutbound()
    fake.answer(URL, status=500)
    fake.fail(URL, FailureReason.TIMEOUT)
    fake.answer(URL, body=b"ok", headers={"x-a": "b"})
    assert (await _post(fake)).status == 500
    with pytest.raises(OutboundFailed) as caught:
        await _post(fake)
    assert caught.value.reason is FailureReason.TIMEOUT
    for _ in range(2):
        assert await _post(fake) == OutboundResponse(status=200, headers={"x-a": "b"}, body=b"ok")
    assert [(sent.method, sent.url, sent.body) for sent in fake.requests] == [("POST", URL, b"{}")] * 4


async def test_refusals_are_those_of_the_real_client() -> None:
    """A URL that is not read is refused without a script; others are refused where told so."""
    fake = FakeOutbound()
    with pytest.raises(OutboundRefused) as caught:
        await _post(fake, "ftp://hooks.example/")
    assert caught.value.reason is RefusalReason.SCHEME
    fake.fail(URL, RefusalReason.ADDRESS_NOT_PUBLIC)
    with pytest.raises(OutboundRefused) as caught:
        await _post(fake)
    assert caught.value.reason is RefusalReason.ADDRESS_NOT_PUBLIC


async def test_place_without_a_script_is_dead() -> None:
    """Nothing answers where nobody said so."""
    with pytest.raises(OutboundFailed, match="connect"):
        await _post(FakeOutbound())


async def test_limits_hold() -> None:
    """A body beyond the limit is a failure, or cut."""
    fake = FakeOutbound()
    fake.answer(URL, body=b"1234")
    with pytest.raises(OutboundFailed, match="too-large"):
        await _post(fake)
    cut = OutboundLimits(total_s=1, connect_s=1, read_s=1, response_bytes_max=3, cuts_body=True)
    assert (await _post(fake, limits=cut)).body == b"123"
