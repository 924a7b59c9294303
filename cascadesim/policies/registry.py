"""The policies that there are, by the key that stands in a scenario."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from cascadesim import policies
from cascadesim.policies.settings import Policy
from cascadesim.values.rooms import classes_in

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def settings_by_kind() -> Mapping[str, type[Policy]]:
    """Return the settings class of every policy, in alphabetical order."""
    return MappingProxyType({each.KIND: each for each in classes_in(policies, Policy)})
