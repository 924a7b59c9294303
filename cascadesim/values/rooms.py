"""Rooms of things of one kind, a file each, found by looking: nothing lists them a second time."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")


def classes_in(package: ModuleType, base: type[T]) -> list[type[T]]:
    """Return the classes of a kind that the files of a package define, by their `KIND`.

    A class counts where it has a `KIND` of its own; that is the name of its file.
    """
    found = {}
    for module in iter_modules(package.__path__):
        for thing in vars(import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(thing, type) and issubclass(thing, base) and "KIND" in vars(thing):
                found[vars(thing)["KIND"]] = thing
    return [found[kind] for kind in sorted(found)]
