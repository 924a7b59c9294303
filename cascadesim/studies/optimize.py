"""Optimization: a search for better settings, which fresh replications then confirm."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cascadesim.scenario.load import Scenario, loads
from cascadesim.scenario.source import write
from cascadesim.scenario.vary import check_paths
from cascadesim.studies.aims import OPTIMIZED, TODAY, Aims, Goal, Trial
from cascadesim.studies.compare import compare
from cascadesim.studies.design import varies_of
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.optimization import Optimization, fresh_seed
from cascadesim.studies.replay import part_of
from cascadesim.studies.replications import MEASURES, Job
from cascadesim.studies.run import check_count, seed_of
from cascadesim.studies.search import Tried, Tunable, check_settings, search
from cascadesim.studies.thresholds import check_classes, stated_objective
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.scenario.objectives import Objective
    from cascadesim.scenario.vary import Vary
    from cascadesim.studies.design import Varying
    from cascadesim.studies.execution import Runner
    from cascadesim.studies.replay import Progress
    from cascadesim.studies.runs import Runs

MOST_CONFIRMED = 8  # settings of a Pareto front, so that a reader can weigh them
_MEASURING = ("horizon", "drain", "warmup", "sweep")  # what is measured, not how the service is set


def parse_goals(minimize: str | Sequence[str], maximize: str | Sequence[str]) -> tuple[Goal, ...]:
    """Return the goals that the names of measures give.

    Raises ScenarioError for one that is none, or is given twice, and where there are no goals.
    """
    goals = [Goal(name) for name in _several(minimize)]
    goals += [Goal(name, maximize=True) for name in _several(maximize)]
    names = [goal.measure for goal in goals]
    for goal in goals:
        source = f"--{'maximize' if goal.maximize else 'minimize'} {goal.measure}"
        if goal.measure not in MEASURES:
            message = f"is no measure; {suggest(goal.measure, list(MEASURES))}"
            raise ScenarioError(message, source)
        if names.count(goal.measure) > 1:
            raise ScenarioError("is given twice", source)
    if not goals:
        raise ScenarioError("give a measure, such as --minimize p99", "cascadesim optimize")
    return tuple(goals)


def parse_constraints(texts: str | Sequence[str]) -> tuple[Objective, ...]:
    """Return the constraints that texts such as "error_rate<1%" state, or raise ScenarioError."""
    stated = (stated_objective(text, f"--subject-to {text}") for text in _several(texts))
    return tuple(dict.fromkeys(stated))


def parse_tune(tune: Varying) -> tuple[Vary, ...]:
    """Return what to tune.

    Raises ScenarioError for what cannot be tuned, or is given twice, and where there is nothing.
    """
    varies = varies_of(tune, "--tune")
    paths = [vary.path for vary in varies]
    for path in paths:
        check_paths([path], f"--tune {path}")
        if path.split(".")[0] in _MEASURING:
            message = "decides what is measured, not what the service does, and cannot be tuned"
            raise ScenarioError(message, f"--tune {path}")
        if paths.count(path) > 1:
            raise ScenarioError("is given twice; give its range once", f"--tune {path}")
    if not varies:
        message = "give what to tune, such as --tune agent.deadline.timeout=1s..60s"
        raise ScenarioError(message, "cascadesim optimize")
    return tuple(varies)


def _several(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def optimize(
    scenario: Scenario,
    tune: Varying,
    minimize: str | Sequence[str] = (),
    maximize: str | Sequence[str] = (),
    subject_to: str | Sequence[str] = (),
    budget: int = 100,
    replications: int = 3,
    confirm: int = 20,
    seed: int | None = None,
    execution: Execution = HERE,
    progress: Progress = None,
) -> Optimization:
    """Search for settings that make measures small or large, and confirm them.

    `tune` is ranges or values by dotted path, as "agent.deadline.timeout=1s..60s"; `minimize` and
    `maximize` name measures (see `replications.MEASURES`), of which several give a Pareto front;
    `subject_to` is objectives to keep, as "error_rate < 1%". A text alone is the only one of its
    kind. `seed` is from 0 to 10^18. `budget` settings are tried, today's
    among them, each in the same `replications`. The best are run in `confirm` fresh ones, beside
    today's; before that, where a single goal has constraints, in as many more of the search's, see
    `finals`. The result is the same for the same seed with any `execution`.
    `progress` is called with the share that is done. Raises ScenarioError for what cannot be tuned,
    and where Optuna is needed, since not all combinations are tried, and is not installed.
    """
    aims = Aims(parse_goals(minimize, maximize), parse_constraints(subject_to))
    varies = parse_tune(tune)
    check_count("budget", budget)
    check_count("replications", replications)
    check_count("confirm", confirm, least=2)
    for constraint in aims.constraints:
        check_classes([constraint], scenario, f"--subject-to {constraint.text}")
    seed = seed_of(scenario, seed)
    tunables = [Tunable(vary, scenario) for vary in varies]
    check_settings(scenario, tunables)
    total = runs(budget, replications, confirm)
    searching = part_of(progress, 0, total, budget * replications)
    with execution.open() as runner:
        (today,) = settled({"": scenario}, seed, runner.run).values()
        trials = search(Tried(today, aims, replications, seed, runner, searching, budget), tunables)
        finalists: list[Trial] = []
        chosen = aims.front(trials)
        if len(aims.goals) == 1:
            best, finalists = finals(aims, trials, confirm, runner)
            chosen = [] if best is None else [best]
    result = Optimization(today, seed, varies, aims, trials, chosen, finalists)
    confirming = part_of(progress, budget * replications, total, confirm)
    return _confirmed(result, confirm, execution, confirming)


def finals(
    aims: Aims, trials: Sequence[Trial], number: int, runner: Runner
) -> tuple[Trial | None, list[Trial]]:
    """Return the best trial, and those that had so many more replications, with all that they had.

    The best of a search lie where a constraint only just holds, in the few replications of a trial,
    and half of such settings would miss it in others. So they get more replications, from the best
    on and in growing steps, until some keep the constraints with their whole interval.

    The best is the first that surely keeps the constraints, else the first that keeps them in the
    mean, else today's settings if they keep them, and else the best of the search alone.
    """
    best = aims.best(trials)
    if best is None or best.number == 0 or not aims.constraints:
        return best, []
    tried = []
    for trial in _finalists(aims, trials):
        runs = trial.runs
        assert runs is not None  # it is feasible
        numbers = range(runs.count, runs.count + number)
        rows = runner.run([Job((runs.variant,), runs.seed, i) for i in numbers])
        runs = replace(runs, replications=(*runs.replications, *(row[0] for row in rows)))
        tried.append(replace(trial, runs=runs))
        if aims.feasible(tried[-1]) and _surely(runs):
            return tried[-1], tried
    left = trials[0] if aims.feasible(trials[0]) else best
    return next(filter(aims.feasible, tried), left), tried


def _finalists(aims: Aims, trials: Sequence[Trial]) -> list[Trial]:
    """Return feasible trials that are better than today's: of the best the 1st, 2nd, 3rd, 5th, 9th…

    The search looks more and more closely at where a constraint only just holds, so that steps
    which grow lead away from there.
    """
    feasible = sorted(filter(aims.feasible, trials), key=lambda trial: aims.costs(trial.runs))
    today = aims.costs(trials[0].runs)
    if aims.feasible(trials[0]):
        feasible = [trial for trial in feasible if aims.costs(trial.runs) < today]
    places = [0, *(2**i for i in range(len(feasible).bit_length()))]
    return [feasible[place] for place in places if place < len(feasible)]


def _surely(runs: Runs) -> bool:
    """Return whether the whole interval of every constraint keeps it."""
    ends = [(judged.objective, (judged.value.low, judged.value.high)) for judged in runs.objectives]
    return all(constraint.met(value) for constraint, both in ends for value in both)


def runs(budget: int, replications: int, confirm: int) -> int:
    """Return how many runs an optimization takes, a confirmation of all settings counted once."""
    return budget * replications + confirm


def _confirmed(
    result: Optimization, confirm: int, execution: Execution, progress: Progress
) -> Optimization:
    """Return the result with its best settings compared with today's in fresh replications."""
    if not result.chosen:
        return result
    better = [trial for trial in result.chosen if trial.number]
    kept = _spread(better, MOST_CONFIRMED)
    one = len(result.aims.goals) == 1
    names = [OPTIMIZED] if one else [f"pareto-{i + 1}" for i in range(len(kept))]
    proposals = dict(zip(names, kept, strict=False))  # no trial where today's settings are best
    result = replace(result, proposals=proposals, left_out=len(better) - len(kept))
    proposed, seed = _proposed(result), fresh_seed(result.seed)
    confirmation = compare(
        proposed, seed=seed, replications=confirm, execution=execution, progress=progress
    )
    return replace(result, proposed=proposed, confirmation=confirmation)


def _spread(trials: Sequence[Trial], most: int) -> list[Trial]:
    """Return at most so many of the trials, the ends among them, evenly spread in their order."""
    n = len(trials)
    if n <= most:
        return list(trials)
    return [trials[round(i * (n - 1) / (most - 1))] for i in range(most)]


def _proposed(result: Optimization) -> Scenario:
    """Return the scenario with today's settings and the proposals as variants.

    It is read from the text that would be saved, so that a file of it gives the same figures.
    """
    scenario = result.scenario.resolved()
    known = {objective.limit for objective in scenario.objectives}
    added = [c.text for c in result.aims.constraints if c.limit not in known]
    variants = {label: result.changed(trial) for label, trial in result.proposals.items()}
    data = scenario.document.data | {
        "objectives": [*scenario.model.objectives, *added],
        "variants": {TODAY: {}} | variants,
    }
    return loads(write(replace(scenario.document, data=data), ""), scenario.document.source)
