import pytest
from tests.api.deepcall.conftest import DeepCallTenant, Services
from tests.api.deepcall.test_click_to_call import click

from maskline.core.masking import MaskingSession, RecordFormat, SessionFilter, SessionStatus
from maskline.workflows.list_masking_sessions import list_masking_sessions

Recording = tuple[bool, RecordFormat]
NUMBER_COUNT = 5  # of a fresh account


def people(index: int) -> tuple[int, int]:
    """Two persons whom no other index has."""
    return 9120256000 + 2 * index, 9120256001 + 2 * index


def live_sessions(deepcall: DeepCallTenant) -> tuple[MaskingSession, ...]:
    """Of this account, newest first."""
    service = deepcall.service
    active = SessionFilter(status=SessionStatus.ACTIVE)
    found = service.run(list_masking_sessions, deepcall.tenant.account, active, service.clock.now())
    return found.sessions


def test_the_unset_sample_with_as_many_masks_as_numbers(deepcall: DeepCallTenant) -> None:
    """Each is on a number of its own, so that the number and a duration of -1 end it and no other."""
    masks = [deepcall.set(*people(index))["mask"] for index in range(NUMBER_COUNT)]
    assert len(set(masks)) == NUMBER_COUNT
    for left, mask in zip(reversed(range(NUMBER_COUNT)), masks, strict=True):
        data = deepcall.call("Masking/unset", mask=int(mask), expiry_duration=-1).body["data"]
        assert (data["mask"], data["count"]) == (mask, 1)
        assert len(live_sessions(deepcall)) == left
    assert deepcall.set(*people(0))["mask"] == masks[0]


def test_click_to_call_leaves_masks_alone(deepcall: DeepCallTenant) -> None:
    """A mask that is made for a call has a number of its own too, and a set after it as well."""
    first, second = people(1)
    masks = [
        deepcall.set(*people(0))["mask"],
        click(deepcall, **{"from": str(first), "to": str(second)})["mask"],
        deepcall.set(*people(2))["mask"],
    ]
    assert len(set(masks)) == 3


def test_numbers_are_shared_when_none_is_left(deepcall: DeepCallTenant) -> None:
    """More masks than numbers are set all the same; then a number alone may mean several."""
    masks = [deepcall.set(*people(index))["mask"] for index in range(NUMBER_COUNT + 1)]
    assert len(set(masks)) == NUMBER_COUNT
    assert deepcall.call("Masking/unset", mask=masks[-1]).body["code"] == 1000
    m1, _ = people(NUMBER_COUNT)
    assert deepcall.call("Masking/unset", mask=masks[-1], m1=m1).body["code"] == 200


def test_a_setting_lets_masks_share(services: Services) -> None:
    """From the first on, as other dialects' sessions do."""
    deepcall = services.tenant(has_own_numbers=False)
    assert len({deepcall.set(*people(index))["mask"] for index in range(3)}) == 1


@pytest.mark.parametrize(
    ("settings", "recording"),
    [
        ({}, (False, RecordFormat.MP3)),
        ({"record_format": RecordFormat.MP3}, (True, RecordFormat.MP3)),
        ({"record_format": RecordFormat.WAV}, (True, RecordFormat.WAV)),
    ],
)
def test_recording_is_a_setting(
    services: Services, settings: dict[str, RecordFormat], recording: Recording
) -> None:
    """Of masks that are set and of those made for a call; not asked for by any request."""
    deepcall = services.tenant(**settings)
    deepcall.set(*people(0), record=True)
    first, second = people(1)
    click(deepcall, **{"from": str(first), "to": str(second)})
    assert [(it.is_recorded, it.record_format) for it in live_sessions(deepcall)] == [recording] * 2
