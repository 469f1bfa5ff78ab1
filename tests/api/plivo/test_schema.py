from maskline.api.plivo import schema, wire


def test_every_field_is_described() -> None:
    """A new field cannot be forgotten, and none is described that is not read."""
    content = schema.OPERATIONS["create"]["requestBody"]["content"]
    properties = content["application/json"]["schema"]["properties"]
    assert set(properties) == set(wire.FIELDS)
    assert properties["record"] == {"type": "boolean"}
    assert properties["record_file_format"] == {"type": "string", "enum": ["mp3", "wav"]}
    assert properties["call_time_limit"]["maximum"] == 86_400
    assert properties["callback_url"]["maxLength"] == 1_000
    assert properties["first_party"] == {"type": "string"}


def test_paths_name_their_parameters() -> None:
    """Operations on one session need its id."""
    for name, operation in schema.OPERATIONS.items():
        names = {it["name"] for it in operation["parameters"] if it["in"] == "path"}
        assert names == (
            {"auth_id", "session_uuid"} if name in ("get", "delete", "delete_legacy") else {"auth_id"}
        )
