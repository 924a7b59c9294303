"""Dotted paths name every setting, and name it in one way."""

from contextlib import suppress
from typing import Any

import pytest
from everything import EVERYTHING
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.scenario.load import loads
from cascadesim.scenario.paths import UnknownPath, dotted, locate
from cascadesim.scenario.source import Location

DATA = loads(EVERYTHING).document.data


def locations(data: Any, above: Location = ()) -> list[Location]:
    """Return where every value stands."""
    found = [above]
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            found += locations(value, (*above, key))
    return found


OTHERS = ("variants", "sweep")  # which hold settings, but are none
SETTINGS = [at for at in locations(DATA) if at not in ((), ("stages",)) and at[0] not in OTHERS]


@pytest.mark.parametrize("location", SETTINGS, ids=lambda location: dotted(DATA, location))
def test_locate_is_the_inverse_of_dotted(location: Location) -> None:
    assert locate(DATA, dotted(DATA, location)) == location


def test_no_two_settings_have_one_path() -> None:
    assert len({dotted(DATA, location) for location in SETTINGS}) == len(SETTINGS)


NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=4)


@st.composite
def stages(draw: st.DrawFn, names: list[str]) -> dict[str, Any]:
    """Draw stages with nested ones, whose names are taken off the list."""
    drawn: dict[str, Any] = {}
    while names and len(drawn) < 3 and draw(st.booleans()):
        name = names.pop()
        policies = [
            {kind: {"name": f"{kind}{i}"} if draw(st.booleans()) else {}}
            for i, kind in enumerate(draw(st.permutations(["retry", "breaker", "deadline"])))
        ]
        drawn[name] = {"work": {"constant": "1s"}, "policies": policies}
        drawn[name]["stages"] = draw(stages(names))
    return drawn


@given(st.data(), st.lists(NAMES, unique=True, min_size=1, max_size=8))
def test_the_inverse_for_any_stages(data: st.DataObject, names: list[str]) -> None:
    scenario = {"stages": data.draw(stages([f"x{name}" for name in names])), "faults": [{}, {}]}
    for location in locations(scenario):
        if location not in ((), ("stages",)):
            assert locate(scenario, dotted(scenario, location)) == location


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("seed", ("seed",)),
        ("agent", ("stages", "backend", "stages", "agent")),
        ("backend.stages.agent.kind", ("stages", "backend", "stages", "agent", "kind")),
        ("log.pool.size", ("stages", "log", "pool", "size")),  # where it would stand
        ("auth.breaker.name", ("stages", "auth", "policies", 0, "breaker", "name")),
        ("auth.policies.0.breaker.name", ("stages", "auth", "policies", 0, "breaker", "name")),
        ("faults.1.for", ("faults", 1, "for")),
        ("observations.0.work.log", ("observations", 0, "work", "log")),
    ],
)
def test_where_a_path_leads(path: str, location: Location) -> None:
    assert locate(DATA, path) == location


WORDS = [*dotted(DATA, SETTINGS[-1]).split("."), "agent", "policies", "0", "99", "outer", "", "²"]


@given(st.text(max_size=20) | st.lists(st.sampled_from(WORDS)).map(".".join))
def test_any_path_leads_somewhere_or_is_unknown(path: str) -> None:
    with suppress(UnknownPath):
        assert locate(DATA, path)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["stages", "policies", "name", "breaker", "a"]), inner, max_size=3
            )
        ),
    )
)
def test_broken_data_breaks_no_path(data: Any) -> None:
    for location in locations(data):
        assert isinstance(dotted(data, location), str)
    for path in ("a.breaker.name", "a.stages.b", "faults.0.for"):
        with suppress(UnknownPath):
            locate(data, path)
