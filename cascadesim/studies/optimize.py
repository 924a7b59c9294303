"""Optimization: a search for better settings, confirmed in worlds that the search has not met."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from cascadesim.scenario.load import Scenario, loads
from cascadesim.scenario.objectives import Objective, parse_objective
from cascadesim.scenario.source import write
from cascadesim.scenario.vary import Vary, check_paths, parse_vary
from cascadesim.studies.aims import OPTIMIZED, TODAY, Aims, Goal, Trial
from cascadesim.studies.compare import compare
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.optimization import Optimization, fresh_seed, threshold
from cascadesim.studies.replications import MEASURES, Job
from cascadesim.studies.run import seed_of
from cascadesim.studies.search import Tunable, check_settings, search
from cascadesim.studies.thresholds import check_classes
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cascadesim.studies.execution import Runner
    from cascadesim.studies.runs import Runs

T = TypeVar("T")
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
    constraints = []
    for text in _several(texts):
        try:
            constraints.append(parse_objective(text))
        except ValueError as error:
            raise ScenarioError(str(error), f"--subject-to {text}") from None
    return tuple(dict.fromkeys(constraints))


def parse_tune(tune: Vary | str | Sequence[Vary | str]) -> tuple[Vary, ...]:
    """Return what to tune.

    Raises ScenarioError for what cannot be tuned, or is given twice, and where there is nothing.
    """
    given = [tune] if isinstance(tune, Vary) else _several(tune)
    varies = [parse_vary(vary, "--tune") if isinstance(vary, str) else vary for vary in given]
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


def _several(given: str | Sequence[T]) -> Sequence[str | T]:
    """Return one text that is given alone as the only one, or else those that are given."""
    return [given] if isinstance(given, str) else given


def optimize(
    scenario: Scenario,
    tune: Vary | str | Sequence[Vary | str],
    minimize: str | Sequence[str] = (),
    maximize: str | Sequence[str] = (),
    subject_to: str | Sequence[str] = (),
    budget: int = 100,
    replications: int = 3,
    confirm: int = 20,
    seed: int | None = None,
    execution: Execution = HERE,
    progress: Callable[[float], None] | None = None,
) -> Optimization:
    """Search for settings that make measures small or large, and confirm them in fresh worlds.

    `tune` is ranges or values by dotted path, as "agent.deadline.timeout=1s..60s"; `minimize` and
    `maximize` name measures (see `replications.MEASURES`), of which several give a Pareto front;
    `subject_to` is objectives to keep, as "error_rate < 1%". A text alone is the only one of its
    kind. `seed` is from 0 to 10^18. `budget` settings are tried, today's
    among them, each in the same `replications` worlds. The best meet `confirm` fresh worlds, beside
    today's; before that, where a single goal has constraints, they meet as many more of the
    search's, see `finals`. The result is the same for the same seed with any `execution`.
    `progress` is called with the share that is done. Raises ScenarioError for what cannot be tuned,
    and where Optuna is needed, since not all combinations are tried, and is not installed.
    """
    goals, constraints = parse_goals(minimize, maximize), parse_constraints(subject_to)
    aims, varies = Aims(goals, constraints), parse_tune(tune)
    for name, least, count in (
        ("budget", 1, budget),
        ("replications", 1, replications),
        ("confirm", 2, confirm),
    ):
        if count < least:
            raise ScenarioError(f"expected a number from {least}", f"--{name} {count}")
    for constraint in constraints:
        check_classes([constraint], scenario, f"--subject-to {constraint.text}")
    seed = seed_of(scenario, seed)
    tunables = [Tunable(vary, scenario) for vary in varies]
    check_settings(scenario, tunables)
    done = progress or (lambda _: None)
    searching, total = budget * replications, runs(budget, replications, confirm)
    with execution.open() as runner:
        (today,) = settled({"": scenario}, seed, runner.run).values()
        trials = search(
            today,
            tunables,
            aims,
            budget,
            replications,
            seed,
            runner,
            lambda count: done(count * replications / total),
        )
        finalists: list[Trial] = []
        chosen = aims.front(trials)
        if len(goals) == 1:
            best, finalists = finals(aims, trials, confirm, runner)
            chosen = [] if best is None else [best]
    result = Optimization(today, seed, varies, aims, trials, chosen, finalists)
    return _confirmed(
        result, confirm, execution, lambda share: done((searching + share * confirm) / total)
    )


def finals(
    aims: Aims, trials: Sequence[Trial], worlds: int, runner: Runner
) -> tuple[Trial | None, list[Trial]]:
    """Return the best trial, and those that have met so many more worlds, with all that they met.

    The best of a search lie where a constraint only just holds, in the few worlds of a trial, and
    half of such settings would miss it in others. So they meet more worlds, from the best on and in
    growing steps, until some keep the constraints with their whole interval.

    The best is the first that surely keeps the constraints, else the first that keeps them in the
    mean, else today's settings if they keep them, and else the best of the search alone.
    """
    best = aims.best(trials)
    if best is None or best.number == 0 or not aims.constraints:
        return best, []
    met = []
    for trial in _finalists(aims, trials):
        runs = trial.runs
        assert runs is not None  # it is feasible
        numbers = range(runs.count, runs.count + worlds)
        jobs = [Job((runs.variant,), runs.seed, number) for number in numbers]
        more = [replication for (replication,) in runner.run(jobs)]
        runs = replace(runs, replications=(*runs.replications, *more))
        met.append(replace(trial, runs=runs))
        if aims.feasible(met[-1]) and _surely(runs):
            return met[-1], met
    left = trials[0] if aims.feasible(trials[0]) else best
    return next((trial for trial in met if aims.feasible(trial)), left), met


def _finalists(aims: Aims, trials: Sequence[Trial]) -> list[Trial]:
    """Return feasible trials that are better than today's: of the best the 1st, 2nd, 3rd, 5th, 9th…

    The search looks more and more closely at where a constraint only just holds, so that steps
    which grow lead away from there.
    """
    today = aims.costs(trials[0].runs) if aims.feasible(trials[0]) else None
    costs = {trial.number: aims.costs(trial.runs) for trial in trials}
    better = [
        trial
        for trial in trials
        if aims.feasible(trial) and (today is None or costs[trial.number] < today)
    ]
    better.sort(key=lambda trial: costs[trial.number])
    places = [0, *(2**i for i in range(len(better).bit_length()))]
    return [better[place] for place in places if place < len(better)]


def _surely(runs: Runs) -> bool:
    """Return whether the whole interval of every constraint keeps it."""
    ends = [(judged.objective, (judged.value.low, judged.value.high)) for judged in runs.objectives]
    return all(constraint.met(value) for constraint, both in ends for value in both)


def runs(budget: int, replications: int, confirm: int) -> int:
    """Return how many runs an optimization takes, a confirmation of all settings counted once."""
    return budget * replications + confirm


def _confirmed(
    result: Optimization, confirm: int, execution: Execution, progress: Callable[[float], None]
) -> Optimization:
    """Return the result with its best settings compared with today's in fresh worlds."""
    if not result.chosen:
        return result
    better = [trial for trial in result.chosen if trial.number]
    kept = _spread(better, MOST_CONFIRMED)
    one = len(result.aims.goals) == 1
    names = [OPTIMIZED] if one else [f"pareto-{i + 1}" for i in range(len(kept))]
    proposals = dict(zip(names, kept, strict=False))  # no trial where today's settings are best
    result = replace(result, proposals=proposals, left_out=len(better) - len(kept))
    proposed = _proposed(result)
    confirmation = compare(
        proposed,
        seed=fresh_seed(result.seed),
        replications=confirm,
        execution=execution,
        progress=progress,
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
    known = set(map(threshold, scenario.objectives))
    added = [c.text for c in result.aims.constraints if threshold(c) not in known]
    variants = {label: result.changed(trial) for label, trial in result.proposals.items()}
    data = scenario.document.data | {
        "objectives": [*scenario.model.objectives, *added],
        "variants": {TODAY: {}} | variants,
    }
    return loads(write(replace(scenario.document, data=data), ""), scenario.document.source)
