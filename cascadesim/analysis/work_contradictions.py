"""What contradicts the work of stages: timeouts that are shorter, and more load than they take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.rules import (
    DEADLINE_BELOW_WORK,
    HANDSHAKE_BELOW_WORK,
    IDLE_BELOW_MESSAGES,
    IDLE_BELOW_WORK,
    LOAD_BEYOND_CAPACITY,
    REPLY_BELOW_WORK,
)
from cascadesim.plan.arrivals import Closed
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.plan.stage import walk
from cascadesim.policies.plan import tightest
from cascadesim.randomness import BLOCK, Stream
from cascadesim.resources.pool import LEAKS_FILL_POOL, LIFETIME_BELOW_WORK
from cascadesim.values.rules import Contradiction
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan

_BLOCKS = 32  # of draws
_NOTABLE = 0.05  # more load than capacity; less may be an error of draws


def work_contradictions(plan: Plan) -> Iterator[Contradiction]:
    """Yield timeouts that no work is done within, and loads that stages cannot take."""
    for stage in plan.walk():
        yield from _deadlines(stage)
        least = least_inside(stage)
        if stage.pool is not None and stage.session.lifetime < least:
            yield Contradiction(
                LIFETIME_BELOW_WORK,
                (f"{stage.name}.session.lifetime", f"{stage.name}.work"),
                f"the reaper ends every session after {duration_text(stage.session.lifetime)}, and "
                f"its work takes {duration_text(least)} or longer",
            )
    if plan.connections is not None:
        yield from _of_connections(plan, plan.connections)
    if not isinstance(plan.arrivals, Closed):  # clients that wait offer no more than is taken
        yield from _loads(plan)


def least_inside(stage: StagePlan) -> float:
    """Return the least seconds that a good answer from inside a stage's policies takes."""
    own = 0.0 if stage.work is None else stage.work.lower
    for fault in stage.faults:  # which may make it quicker
        own = min(own, fault.slowed(own, 0.0), fault.slowed(own, 1.0))
    inside = map(_least, stage.stages)
    return own + (max(inside) if stage.parallel else math.fsum(inside))


def _least(stage: StagePlan) -> float:
    """Return the least seconds that an answer of a stage takes, degraded ones included."""
    degraded = any(policy.answers_errors for policy in stage.policies)
    return 0.0 if degraded else least_inside(stage)


def _deadlines(stage: StagePlan) -> Iterator[Contradiction]:
    least = least_inside(stage)
    for path, policy in reversed(stage.paths):
        if policy.answers_errors:
            return  # it may answer sooner
        cut = policy.cut(path)
        if cut is not None and cut.seconds < least:
            yield Contradiction(
                DEADLINE_BELOW_WORK,
                (cut.setting, f"{stage.name}.work"),
                f"no call is answered: the work takes {duration_text(least)} or longer, and the "
                f"deadline ends it after {duration_text(cut.seconds)}",
            )


def _of_connections(plan: Plan, connections: ConnectionsPlan) -> Iterator[Contradiction]:
    where = f"workload.{CONNECTIONS}"
    idle, reply = connections.idle_timeout, connections.reply_timeout
    handshake = _in_order(connections.handshake.stages)
    if connections.handshake.timeout < handshake:
        name = connections.handshake.stages[0].name
        yield Contradiction(
            HANDSHAKE_BELOW_WORK,
            (f"{where}.handshake.timeout", f"{name}.work"),
            f"no client ever connects: a handshake takes {duration_text(handshake)} or longer, and "
            f"is given up after {duration_text(connections.handshake.timeout)}",
        )
    paths = [plan.path(one.name) for one in plan.classes] or [plan.stages]
    least = min(map(_in_order, paths))
    work = f"{paths[0][0].name}.work"
    if reply < least:
        yield Contradiction(
            REPLY_BELOW_WORK,
            (f"{where}.reply_timeout", work),
            f"no message is answered: a reply takes {duration_text(least)} or longer, and clients "
            f"wait for {duration_text(reply)}",
        )
    if idle < min(least, connections.ping_interval):
        yield Contradiction(
            IDLE_BELOW_WORK,
            (f"{where}.idle_timeout", work),
            f"a reply takes {duration_text(least)} or longer, and a connection that is quiet for "
            f"{duration_text(idle)} is cut: the reply is lost, unless something else passes",
        )
    usual = max(math.fsum(s for stage in path for s in stage.longest_work) for path in paths)
    if connections.ping_interval == math.inf and idle + usual < connections.messages.mean:
        yield Contradiction(
            IDLE_BELOW_MESSAGES,
            (f"{where}.idle_timeout", f"{where}.messages"),
            f"a client sends a message every {duration_text(connections.messages.mean)}, and its "
            f"connection is cut when it was quiet for {duration_text(idle)}: it connects again "
            "and again",
        )


def _in_order(stages: Iterable[StagePlan]) -> float:
    return math.fsum(map(_least, stages))


def _loads(plan: Plan) -> Iterator[Contradiction]:
    if plan.mean_gap == math.inf:
        return
    shares = plan.shares
    for stage, outer, around in plan.walk_policies():
        offered = shares[stage.name] / plan.mean_gap
        yield from _leaks(plan, stage, offered)
        cut = tightest(outer + around, for_waits=True)
        work = _held(stage, math.inf if cut is None else cut.seconds)
        setting, limit = narrowest(stage)
        sheds = any(_refuses(inner) for inner in walk(stage.stages))
        if work and not sheds and offered > limit / work * (1 + _NOTABLE):
            yield Contradiction(
                LOAD_BEYOND_CAPACITY,
                ("workload", setting),
                f"{offered:.3g} requests/s come, and the stage can work on {limit / work:.3g}/s: "
                "the others wait ever longer, are refused or time out",
            )


def _held(stage: StagePlan, longest: float) -> float:
    """Return the mean seconds for which a call holds its place; of draws, if timeouts cut it."""
    cuts = [cut for one in walk((stage,)) for path, p in one.paths if (cut := p.cut(path))]
    if not cuts and longest == math.inf and stage.session.lifetime == math.inf:
        return math.fsum(stage.longest_work)
    longest = min(longest, stage.session.lifetime if stage.pool else math.inf)
    return float(np.minimum(_drawn(stage), longest).mean())


def _refuses(stage: StagePlan) -> bool:
    """Return whether a stage refuses calls, which hold no place outside for long then."""
    refusing = any(policy.ends and not policy.cut(path) for path, policy in stage.paths)
    return refusing or stage.queue_limit < math.inf


def _drawn(stage: StagePlan) -> NDArray[np.float64]:
    """Return draws of how long a call takes inside a stage's policies."""
    draws = np.zeros(_BLOCKS * BLOCK)
    if stage.work is not None:
        stream = Stream(0, 0, f"check.{stage.name}", stage.work)
        draws = np.concatenate([stream.block(i) for i in range(_BLOCKS)])
    inside = []
    for one in stage.stages:
        cut = tightest(one.paths, for_waits=True)
        inside.append(np.minimum(_drawn(one), math.inf if cut is None else cut.seconds))
    if not inside:
        return draws
    together = np.max(inside, axis=0) if stage.parallel else np.sum(inside, axis=0)
    total: NDArray[np.float64] = draws + together
    return total


def _leaks(plan: Plan, stage: StagePlan, offered: float) -> Iterator[Contradiction]:
    """Yield that leaked sessions come to hold every connection."""
    if stage.pool is None:
        return
    most = {"pool.size": stage.pool.limit, "pool.max_connections": stage.pool.max_connections}
    key = min(most, key=lambda key: most[key])
    held = offered * stage.session.leak * min(stage.session.lifetime, plan.horizon)
    if held > most[key]:
        yield Contradiction(
            LEAKS_FILL_POOL,
            (f"{stage.name}.session.leak", f"{stage.name}.{key}"),
            f"{offered * stage.session.leak:.3g} sessions/s leak, and each holds a connection for "
            f"{duration_text(min(stage.session.lifetime, plan.horizon))}: {held:.0f} in all, and "
            f"there are {most[key]:g}",
        )


def narrowest(stage: StagePlan) -> tuple[str, float]:
    """Return the setting that lets the fewest calls work at once in a stage, and their number."""
    limits = {f"{stage.name}.concurrency": stage.concurrency}
    if stage.pool is not None:
        limits[f"{stage.name}.pool.size"] = stage.pool.limit
    setting = min(limits, key=lambda path: limits[path])
    return setting, limits[setting]
