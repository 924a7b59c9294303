"""Rooms of things of one kind, a file each, found by looking: nothing lists them a second time."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

T = TypeVar("T")


def modules_in(package: ModuleType) -> Iterator[ModuleType]:
    """Yield the files of a package, imported, in alphabetical order."""
    for module in iter_modules(package.__path__):
        yield import_module(f"{package.__name__}.{module.name}")


def classes_in(package: ModuleType, base: type[T]) -> list[type[T]]:
    """Return the classes of a kind that the files of a package define, by their `KIND`.

    A class counts where it has a `KIND` of its own; that is the name of its file.
    """
    found = {}
    for module in modules_in(package):
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, base) and "KIND" in vars(thing):
                found[vars(thing)["KIND"]] = thing
    return [found[kind] for kind in sorted(found)]
