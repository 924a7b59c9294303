"""What a request passes through, and the connections it draws from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from cascadesim.resources.codel import Codel
from cascadesim.resources.pool import Pool, Session
from cascadesim.scenario.schema.policies import PolicyChoice
from cascadesim.scenario.schema.rows import check_parallel, check_row
from cascadesim.values import sources
from cascadesim.values.distributions import Work
from cascadesim.values.sources import follows
from cascadesim.values.strict import NO_OTHERS, Name, Strict, problem
from cascadesim.values.units import (
    Count,
    PositiveDuration,
    Share,
    Whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


# What people take for keys of a stage, and how it is written as a policy.
_POLICIES = {kind: f"{kind}: {{…}}" for kind in PolicyChoice.kinds()} | {
    "timeout": "deadline: {timeout: …}",
    "retries": "retry: {attempts: …}",
}


class Startup(Strict):
    """What callers do while the stage starts up after a restart: `{timeout: 30s}`."""

    timeout: PositiveDuration = Field(description="how long they wait for it")


class Tracker(Strict):
    """Notices an execution that gives no answer, and fails it, only at its timeout."""

    timeout: PositiveDuration = Field(description="after which it fails such an execution")


class Stage(Strict):
    """One thing that a request passes through: `{work: {constant: 100ms}}`."""

    FOLLOWS = follows(
        concurrency=sources.QUEUES,
        queue_limit=sources.QUEUES,
        queue=sources.LIFO,
        codel=(sources.FOLLY, sources.CODEL),
        when_full=(sources.BLOCKING, sources.CIW),
        retry_after=sources.RETRY_AFTER,
        parallel=sources.TASK_GROUP,
        pool=sources.SQLALCHEMY,
    )

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        for key in data:
            if key in _POLICIES:
                message = f'unknown key "{key}"; it is a policy: policies: [{_POLICIES[key]}]'
                raise problem(message, key, key=True)
        super()._check_keys(data)

    kind: Literal["service", "agent"] = Field(
        "service", description="the work of an agent counts as agent execution"
    )
    work: Work | None = Field(None, description="how long the stage's own work takes")
    failure_rate: Share = Field(0.0, description="chance that a call fails after its work")
    concurrency: Count | None = Field(None, description="calls worked on at once")
    queue_limit: Whole | None = Field(
        None, description="calls that may wait for concurrency; one more is rejected"
    )
    queue: Literal["fifo", "lifo"] = Field(
        "fifo", description="serve the call first that has waited longest, or the newest"
    )
    codel: Codel | None = Field(None, description="sheds calls that wait for concurrency too long")
    when_full: Literal["reject", "block"] = Field(
        "reject",
        description="reject calls that find the queue full, or let them keep their place in the "
        "stage before until there is room",
    )
    retry_after: PositiveDuration | None = Field(
        None,
        description="when calls that queue_limit or codel refuses are asked to come again; without "
        "it they are told nothing",
    )
    policies: list[PolicyChoice] = Field([], description="what wraps the stage, outermost first")
    pool: Pool | None = Field(None, description="connections that the stage draws from")
    session: Session = Field({}, validate_default=True, description="how long a connection is held")
    startup: Startup | None = Field(None, description="waiting for the stage after a restart")
    tracker: Tracker | None = Field(None, description="notices executions that give no answer")
    stages: dict[Name, Stage] = Field(
        {},
        description="stages inside, passed in order after the stage's own work",
        json_schema_extra=NO_OTHERS,
    )
    parallel: bool = Field(
        False,
        strict=True,
        description="begin the stages inside all at once and wait for every one; the first error "
        "ends the call and cancels the others",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.work is None and not self.stages:
            raise problem("a stage needs work, or stages inside it")
        if self.parallel and len(self.stages) < 2:
            message = "parallel needs two stages inside at least, which then run at once"
            raise problem(message, "parallel")
        (check_parallel if self.parallel else check_row)(self.stages, "stages")
        if self.pool is None and "session" in self.model_fields_set:
            raise problem("session needs a pool to take its connection from", "session")
        if self.pool is not None and self.pool.kind == "static" and self.session.model_fields_set:
            raise problem(
                'a pool of kind "static" has one connection that all share, so none is leaked or '
                "reaped; leave session out",
                "session",
            )
        if self.work is None:
            for key in ("tracker", "failure_rate", "kind"):
                if key in self.model_fields_set and getattr(self, key) is not None:
                    message = (
                        f"{key} needs work of the stage's own; this one has only stages inside"
                    )
                    raise problem(message, key)
        self._check_queue()
        self._check_policy_names()
        return self

    def _check_queue(self) -> None:
        if self.concurrency is None:
            for key in ("queue_limit", "queue", "codel"):
                if key in self.model_fields_set and getattr(self, key) is not None:
                    raise problem(f"{key} needs concurrency, else nothing queues", key)
        if self.codel is not None and self.queue == "lifo":
            message = "codel needs queue: fifo, as it looks at the wait of the call at the head"
            raise problem(message, "codel")
        if "when_full" in self.model_fields_set and self.queue_limit is None:
            raise problem("when_full needs a queue_limit, else nothing is full", "when_full")
        refuses = self.codel is not None or self.queue_limit is not None
        if self.retry_after is not None and (not refuses or self.when_full == "block"):
            message = "retry_after needs a queue_limit or codel that refuses calls"
            raise problem(message, "retry_after")
        if self.when_full == "block" and self.codel is not None:
            message = "codel sheds calls, and when_full: block keeps them; leave one out"
            raise problem(message, "codel")

    def _check_policy_names(self) -> None:
        seen: set[str] = set()
        for i, policy in enumerate(self.policies):
            at = ("policies", i, policy.kind)
            if policy.name in type(self).known_keys():
                raise problem(f'"{policy.name}" is a key of stages; name it otherwise', *at, "name")
            if policy.name in seen:
                message = f'another policy here has the name "{policy.name}"; give one a "name"'
                raise problem(message, *at, key=True)
            seen.add(policy.name)
