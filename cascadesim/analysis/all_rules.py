"""All rules that there are: of policies, resources, plans, causes, figures and drift."""

from __future__ import annotations

from functools import cache

from cascadesim import policies, resources
from cascadesim.analysis import drift_rules, figure_rules, rules
from cascadesim.plan.cause_rules import CAUSE_RULES
from cascadesim.values.rooms import modules_in
from cascadesim.values.rules import Rule


@cache
def all_rules() -> dict[str, Rule]:
    """Return every rule by its code, in the order of the codes.

    Raises ValueError where two have the same code or the same name.
    """
    modules = (rules, figure_rules, drift_rules, *modules_in(policies), *modules_in(resources))
    things = (thing for module in modules for thing in vars(module).values())
    # A module that imports a rule has it, too.
    known = dict.fromkeys([*CAUSE_RULES.values(), *(t for t in things if isinstance(t, Rule))])
    words = [word for rule in known for word in (rule.code, rule.name)]
    if twice := {word for word in words if words.count(word) > 1}:
        raise ValueError(f"not the word of one rule: {', '.join(sorted(twice))}")
    return {rule.code: rule for rule in sorted(known, key=lambda rule: rule.code)}
