import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from maskline.client.errors import (
    ConflictError,
    FieldError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotPermittedError,
    ProblemError,
    ServiceFailedError,
    TooManyRequestsError,
    build_invalid,
    build_problem,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, NotAuthenticatedError),
        (403, NotPermittedError),
        (404, NotFoundError),
        (405, InvalidRequestError),
        (409, ConflictError),
        (413, InvalidRequestError),
        (422, InvalidRequestError),
        (429, TooManyRequestsError),
        (500, ServiceFailedError),
        (503, ServiceFailedError),
    ],
)
def test_a_status_has_its_kind(status: int, kind: type[ProblemError]) -> None:
    """Programs catch what they can act on."""
    problem = build_problem(status, {"code": "x"})
    assert type(problem) is kind


def test_a_problem_carries_what_the_service_said() -> None:
    """And its text names it all, for people."""
    problem = build_problem(
        422,
        {
            "code": "invalid",
            "title": "A value cannot be used",
            "detail": "look",
            "errors": [{"pointer": "/first", "code": "number", "detail": "No such number."}, "odd"],
        },
        2.0,
    )
    assert problem is not None
    assert (problem.status, problem.code, problem.detail, problem.retry_after_s) == (
        422,
        "invalid",
        "look",
        2.0,
    )
    assert problem.errors == (FieldError(pointer="/first", code="number", detail="No such number."),)
    assert str(problem) == "invalid: A value cannot be used (look): /first: No such number."


@given(
    st.dictionaries(
        st.sampled_from(["code", "title", "detail", "errors"]),
        st.recursive(
            st.none() | st.integers() | st.text(), lambda it: st.lists(it) | st.dictionaries(st.text(), it)
        ),
    )
)
def test_any_members_are_read(members: dict[str, object]) -> None:
    """Whatever a body has, it is a problem or none."""
    problem = build_problem(400, members)
    assert (problem is None) == (not isinstance(members.get("code"), str)) or problem is None


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    numbers: list[int]


def test_what_the_client_refuses_reads_like_the_services_refusal() -> None:
    """Pointers and codes; what was given is not told."""
    with pytest.raises(ValidationError) as caught:
        Person.model_validate({"name": "x", "numbers": [1, "+912025550000x"], "a/b~c": "+912025550001"})
    error = build_invalid(caught.value)
    assert [(it.pointer, it.code) for it in error.errors] == [
        ("/numbers/1", "int-parsing"),
        ("", "extra-forbidden"),
    ]
    assert (error.status, error.code) == (422, "invalid")
    assert "2025" not in str(error)
