"""All faults by their key in a scenario, found in the files of this folder."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from cascadesim import faults
from cascadesim.faults.settings import FaultSettings
from cascadesim.values.rooms import classes_in

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def settings_by_kind() -> Mapping[str, type[FaultSettings]]:
    """Return the settings class of every fault, in alphabetical order."""
    return MappingProxyType({fault.KIND: fault for fault in classes_in(faults, FaultSettings)})
