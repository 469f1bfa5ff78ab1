"""What the Plivo dialect answers when it refuses: status, text and the body around it.

Only 400, 401, 404, 405 and 429 are used on purpose: the official clients lose the text of other statuses,
repeat requests on 5xx and take 403 for a geographic permission.
Source: Plivo number masking legacy page, error texts; official client sources (2026-11).
"""

from collections.abc import Mapping

SESSION_EXPIRED = "Session already expired"
POOL_EXHAUSTED = "Number pool exhausted or not available."
NOT_FOUND = "not found"
NOT_AUTHENTICATED = "Authentication credentials are missing or not valid."
METHOD_NOT_ALLOWED = "Method not allowed."
BODY_MALFORMED = "Malformed request. The body must be a JSON object."
BODY_TOO_LARGE = "Malformed request. The body is too large."
BODY_TOO_SLOW = "Malformed request. The body did not arrive in time."
OVERLOADED = "Too many requests. Please retry later."
SERVER_ERROR = "Internal server error."


class PlivoError(Exception):
    """A refusal in the dialect's own words; `text` never quotes what the client sent."""

    def __init__(self, status: int, text: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})


def parameter_missing(name: str) -> PlivoError:
    """A mandatory parameter is absent, empty or null."""
    return PlivoError(400, f"Mandatory parameter missing. {name} must be present.")


def not_a_phone_number(name: str) -> PlivoError:
    """Also said of a party that is the other party or one of our own virtual numbers."""
    return PlivoError(400, f"Invalid parameter. {name} is not a valid phone number.")


def party_occupied(name: str) -> PlivoError:
    """A party that should join a session of one party has its number, or the other party, in another session."""
    return PlivoError(400, f"Invalid parameter. {name} is in another session already.")


def outside_range(name: str) -> PlivoError:
    """An integer is too small, too large or none at all."""
    return PlivoError(400, f"Invalid parameter. {name} is outside the allowed range.")


def not_among(name: str, *allowed: str) -> PlivoError:
    """A value is none of the few allowed ones."""
    listed = " or ".join([", ".join(allowed[:-1]), allowed[-1]]) if len(allowed) > 1 else allowed[0]
    return PlivoError(400, f"Invalid parameter. {name} allowed values are {listed}.")


def not_a_url(name: str) -> PlivoError:
    """A URL is no http or https URL."""
    return PlivoError(400, f"Invalid parameter. {name} should be a valid URL.")


def url_too_long(name: str, length_max: int) -> PlivoError:
    """A URL is longer than the vendor stores."""
    return PlivoError(400, f"Invalid parameter. {name} should be under {length_max} characters.")


def not_a_pin(name: str) -> PlivoError:
    """A PIN is not a string of 4 to 15 digits."""
    return PlivoError(400, f"Invalid parameter. {name} should have 4 to 15 digits.")


def not_valid(name: str) -> PlivoError:
    """A value has the wrong form."""
    return PlivoError(400, f"Invalid parameter. {name} is not valid.")
