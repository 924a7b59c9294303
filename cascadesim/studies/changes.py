"""Changed settings: where two scenario files say different things, by dotted path."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Literal

from cascadesim.scenario.objectives import parse_objective
from cascadesim.scenario.paths import dotted
from cascadesim.scenario.source import flow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascadesim.scenario.source import Location

    Found = Iterator["SettingChange"]

Kind = Literal["changed", "added", "removed", "order"]


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting that two scenarios have differently, or only one of them has.

    Values are as they are written; `old` is None for what is added, `new` for what is removed. An
    "order" is that of policies or stages, by name.
    """

    kind: Kind
    path: str
    old: Any
    new: Any

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"kind": self.kind, "path": self.path, "old": self.old, "new": self.new}


def setting_changes(old: Any, new: Any) -> list[SettingChange]:
    """Return what the data of one scenario has other than that of another, in their order.

    Stages and policies are the same where their names are, and objectives where they limit the
    same metric on the same side; their order in a list of objectives says nothing.
    """
    return list(_Walk(old, new).between((), ()))


class _Walk:
    """Walks two documents side by side; locations may differ where lists do."""

    def __init__(self, old: Any, new: Any) -> None:
        self._old = old
        self._new = new

    def between(self, at: Location, to: Location) -> Found:
        old, new = _value(self._old, at), _value(self._new, to)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from self._mappings(at, to, old, new)
        elif isinstance(old, list) and isinstance(new, list):
            yield from self._lists(at, to, old, new)
        elif type(old) is not type(new) or old != new:
            yield SettingChange("changed", dotted(self._old, at), old, new)

    def _added(self, to: Location) -> SettingChange:
        return SettingChange("added", dotted(self._new, to), None, _value(self._new, to))

    def _removed(self, at: Location) -> SettingChange:
        return SettingChange("removed", dotted(self._old, at), _value(self._old, at), None)

    def _mappings(
        self, at: Location, to: Location, old: dict[str, Any], new: dict[str, Any]
    ) -> Found:
        named = _are_stages(at) or at[:1] == ("variants",)
        if len(old) == len(new) == 1 and old.keys() != new.keys() and not named:
            # Another kind, of which there is exactly one: {constant: 1s} to {exponential: …}.
            yield SettingChange("changed", dotted(self._old, at), old, new)
            return
        yield from self._matched({key: (*at, key) for key in old}, {key: (*to, key) for key in new})
        if _are_stages(at):
            yield from self._order(at, [*old], [*new])

    def _lists(self, at: Location, to: Location, old: list[Any], new: list[Any]) -> Found:
        if at[-1:] == ("policies",) and _are_stages(at[:-2]):
            yield from self._policies(at, to)
        elif at[-1:] == ("objectives",) and None not in (limits := (_limits(old), _limits(new))):
            yield from self._matched(
                {key: (*at, i) for key, i in (limits[0] or {}).items()},
                {key: (*to, i) for key, i in (limits[1] or {}).items()},
            )
        else:
            yield from self._entries(at, to, old, new)

    def _matched(self, old: dict[Any, Location], new: dict[Any, Location]) -> Found:
        """Compare the values of the same key in both."""
        for key, at in old.items():
            if key in new:
                yield from self.between(at, new[key])
            else:
                yield self._removed(at)
        for key, to in new.items():
            if key not in old:
                yield self._added(to)

    def _policies(self, at: Location, to: Location) -> Found:
        old, new = _policies(self._old, at), _policies(self._new, to)
        yield from self._matched(old, new)
        names = [[path.rpartition(".")[2] for path, _ in named] for named in (old, new)]
        yield from self._order(at, *names)

    def _order(self, at: Location, old: list[str], new: list[str]) -> Found:
        # Where a new one stands matters as much as what it is.
        if old != new and max(len(old), len(new)) > 1:
            yield SettingChange("order", dotted(self._old, at), old, new)

    def _entries(self, at: Location, to: Location, old: list[Any], new: list[Any]) -> Found:
        """Compare lists entry by entry, or by what was put in and taken out."""
        if len(old) == len(new):
            blocks = [[0, len(old), 0, len(new)]]
        else:
            blocks = _differing([flow(value) for value in old], [flow(value) for value in new])
        for i, i_end, j, j_end in blocks:
            both = min(i_end - i, j_end - j)
            for k in range(both):
                yield from self.between((*at, i + k), (*to, j + k))
            yield from (self._removed((*at, k)) for k in range(i + both, i_end))
            yield from (self._added((*to, k)) for k in range(j + both, j_end))


def _differing(old: list[str], new: list[str]) -> list[list[int]]:
    """Return where lists of different lengths differ: from and to in the old, and in the new."""
    if len(old) > len(new):  # as what it takes for equal depends on which of the two is the first
        return [[*places[2:], *places[:2]] for places in _differing(new, old)]
    opcodes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [places for what, *places in opcodes if what != "equal"]


def _value(data: Any, location: Location) -> Any:
    for key in location:
        data = data[key]
    return data


def _are_stages(location: Location) -> bool:
    """Return whether a location is that of stages by name, of the scenario or inside another."""
    inside = len(location) == 1 or location[-3:-2] == ("stages",)
    return location[-1:] == ("stages",) and inside


def _policies(data: Any, at: Location) -> dict[tuple[str, str], Location]:
    """Return where policies stand, by their dotted path and kind, outermost first."""
    places = [
        (kind, (*at, i, kind)) for i, policy in enumerate(_value(data, at)) for kind in policy
    ]
    return {(dotted(data, place), kind): place for kind, place in places}


def _limits(objectives: Sequence[str]) -> dict[tuple[str, str], int] | None:
    """Return the place of each objective by metric and relation, None where two have the same."""
    parsed = map(parse_objective, objectives)
    limits = {one.limit[:2]: i for i, one in enumerate(parsed)}
    return limits if len(limits) == len(objectives) else None
