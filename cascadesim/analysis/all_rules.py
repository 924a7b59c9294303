"""All rules that there are: those of policies, resources, plans and causes."""

from __future__ import annotations

from functools import cache

from cascadesim import policies, resources
from cascadesim.analysis import rules
from cascadesim.plan.cause_rules import CAUSE_RULES
from cascadesim.values.rooms import modules_in
from cascadesim.values.rules import Rule


@cache
def all_rules() -> dict[str, Rule]:
    """Return every rule by its code, in the order of the codes."""
    things = [
        thing
        for module in (rules, *modules_in(policies), *modules_in(resources))
        for thing in vars(module).values()
        if isinstance(thing, Rule)
    ]
    found = {rule.code: rule for rule in (*things, *CAUSE_RULES.values())}
    return dict(sorted(found.items()))
