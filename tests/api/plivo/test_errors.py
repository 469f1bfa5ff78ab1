import pytest

from maskline.api.plivo import errors
from maskline.api.plivo.errors import PlivoError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.parameter_missing("first_party"),
            "Mandatory parameter missing. first_party must be present.",
        ),
        (
            errors.not_a_phone_number("first_party"),
            "Invalid parameter. first_party is not a valid phone number.",
        ),
        (
            errors.outside_range("session_expiry"),
            "Invalid parameter. session_expiry is outside the allowed range.",
        ),
        (
            errors.outside_range("call_time_limit"),
            "Invalid parameter. call_time_limit is outside the allowed range.",
        ),
        (
            errors.not_among("record", "true", "false"),
            "Invalid parameter. record allowed values are true or false.",
        ),
        (
            errors.not_among("record_file_format", "mp3", "wav"),
            "Invalid parameter. record_file_format allowed values are mp3 or wav.",
        ),
        (
            errors.not_among("status", "a", "b", "c"),
            "Invalid parameter. status allowed values are a, b or c.",
        ),
        (
            errors.not_a_url("recording_callback_url"),
            "Invalid parameter. recording_callback_url should be a valid URL.",
        ),
        (
            errors.url_too_long("recording_callback_url", 1_000),
            "Invalid parameter. recording_callback_url should be under 1000 characters.",
        ),
    ],
)
def test_texts_are_the_vendors(error: PlivoError, text: str) -> None:
    """To the letter, as the legacy page lists them."""
    assert (error.status, error.text) == (400, text)


def test_texts_without_parameters_are_the_vendors() -> None:
    """Likewise."""
    assert errors.SESSION_EXPIRED == "Session already expired"
    assert errors.POOL_EXHAUSTED == "Number pool exhausted or not available."
    assert errors.SERVER_ERROR == "Internal server error."
