"""All policies by their key in a scenario, found in the files of this folder."""

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
    return MappingProxyType({policy.KIND: policy for policy in classes_in(policies, Policy)})
