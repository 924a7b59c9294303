"""Finds the things of one kind in a folder that has one file for each; no list names them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")


def classes_in(package: ModuleType, base: type[T]) -> list[type[T]]:
    """Return the classes derived from `base` that the files of a package define, by `KIND`.

    A class counts if it sets its own `KIND`, which is also the name of its file.
    """
    classes = {}
    for module in iter_modules(package.__path__):
        for thing in vars(import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(thing, type) and issubclass(thing, base) and "KIND" in vars(thing):
                classes[vars(thing)["KIND"]] = thing
    return [classes[kind] for kind in sorted(classes)]
