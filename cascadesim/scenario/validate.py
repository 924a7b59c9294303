"""Files beside scenarios, such as tests and baselines: a document becomes a validated model."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from cascadesim.scenario.load import located
from cascadesim.values.errors import ScenarioError, show
from cascadesim.values.strict import Strict

if TYPE_CHECKING:
    from cascadesim.scenario.source import Document

M = TypeVar("M", bound=Strict)


def validated(document: Document, model: type[M]) -> M:
    """Return the model of a document. Raises ScenarioError with file, line and column."""
    if not isinstance(document.data, dict):
        keys = ", ".join(model.known_keys()[:3])
        problem = f"expected a mapping with {keys}, …, got {show(document.data)}"
        raise ScenarioError(problem, document.mark(()))
    try:
        return model.model_validate(document.data)
    except ValidationError as invalid:
        errors = [located(document, error, None) for error in invalid.errors(include_url=False)]
    raise min(errors, key=lambda error: (error.mark.line or 0, error.mark.column or 0))
