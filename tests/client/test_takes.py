from inspect import signature
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from maskline.client.errors import InvalidRequestError
from maskline.client.takes import takes, takes_of_one


class New(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    size: Annotated[int, Field(ge=1)] = 1


class Things:
    @takes(New)
    def create(self, new: New) -> New:
        """Make a thing."""
        return new

    @takes_of_one(New)
    def change(self, id_: str, new: New) -> tuple[str, New]:
        """Change a thing."""
        return id_, new


def test_fields_are_arguments() -> None:
    """The method gets the model, its caller names fields."""
    assert Things().create(name="a", size=2) == New(name="a", size=2)
    assert Things().change("t1", name="a") == ("t1", New(name="a"))


@pytest.mark.parametrize("given", [{"name": 3}, {"name": "a", "size": 0}, {}, {"name": "a", "sise": 1}])
def test_what_does_not_fit_is_refused_as_the_service_would(given: dict[str, object]) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequestError) as caught:
        Things().create(**given)
    assert caught.value.code == "invalid"


def test_help_shows_the_fields() -> None:
    """With the method's own words."""
    assert list(signature(Things.create).parameters) == ["self", "name", "size"]
    assert list(signature(Things.change).parameters) == ["self", "id_", "name", "size"]
    assert Things.create.__doc__ == "Make a thing."
