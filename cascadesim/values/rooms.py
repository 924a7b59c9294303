"""Finds the things of one kind in a folder that has one file for each; no list names them."""

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
    """Return the classes derived from `base` that the files of a package define, by `KIND`.

    A class counts if it sets its own `KIND`, which is also the name of its file.
    """
    classes = {}
    for module in modules_in(package):
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, base) and "KIND" in vars(thing):
                classes[vars(thing)["KIND"]] = thing
    return [classes[kind] for kind in sorted(classes)]
