"""The JSON Schema of scenario files, for editors and other tools.

It knows every key, unit and kind. What ties two settings together (stage names, `warmup` below
`horizon`, the dotted paths of variants) only loading checks.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from cascadesim.scenario.schema.scenario import ScenarioModel


class _Untitled(GenerateJsonSchema):
    """Gives no titles to properties, which would only repeat their keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema, draft 2020-12."""
    schema = ScenarioModel.model_json_schema(by_alias=True, schema_generator=_Untitled)
    return (
        {"$schema": GenerateJsonSchema.schema_dialect} | schema | {"title": "cascadesim scenario"}
    )
