"""What wraps a stage: one of the policies that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.policies.registry import settings_by_kind
from cascadesim.values.strict import Choice, choice_of


class Named(Choice):
    """One policy, by its kind."""

    @property
    def name(self) -> str:
        """Return the policy's name in dotted paths: the one that is given, or else its kind."""
        return self.chosen.name or self.kind


if TYPE_CHECKING:
    PolicyChoice = Named
else:
    PolicyChoice = choice_of("PolicyChoice", Named, settings_by_kind())
