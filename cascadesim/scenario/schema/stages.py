"""What a request passes through, and the connections it draws from."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cascadesim.scenario.schema.base import NO_OTHERS, Name, Strict, problem
from cascadesim.scenario.schema.policies import PolicyChoice
from cascadesim.scenario.schema.work import Work
from cascadesim.scenario.units import Count, Duration, PositiveDuration, Share, Whole


class Pool(Strict):
    """Database connections, after SQLAlchemy's QueuePool and NullPool."""

    kind: Literal["queue", "null"] = Field(
        "queue", description="keep connections, or make a new one for each checkout"
    )
    connect_time: Duration = Field(description="to make a connection")
    max_connections: Count | None = Field(
        None, description="connections the database accepts; it refuses one more at once"
    )
    size: Count = Field(5, description="connections kept")
    max_overflow: Whole = Field(10, description="connections beyond size, closed when returned")
    timeout: PositiveDuration = Field(
        "30s", validate_default=True, description="longest wait for a connection"
    )
    recycle: PositiveDuration | None = Field(
        None, description="age at which a connection is replaced at checkout"
    )

    @model_validator(mode="after")
    def _kind_has_them(self) -> Self:
        if self.kind == "null":
            for key in ("size", "max_overflow", "timeout", "recycle"):
                if key in self.model_fields_set:
                    raise problem(
                        f'"{key}" has no effect on a pool of kind "null", which keeps no '
                        "connections; write kind: queue or leave it out",
                        key,
                    )
        return self


class Session(Strict):
    """The span for which a request holds a connection."""

    lifetime: PositiveDuration | None = Field(
        None, description="after which the reaper ends a session, in use or leaked"
    )
    leak: Share = Field(0.0, description="share of sessions that their request never closes")


class Startup(Strict):
    """What callers do while the stage starts up after a restart."""

    timeout: PositiveDuration = Field(description="how long they wait for it")


class Tracker(Strict):
    """Notices an execution that gives no answer, and fails it, only at its timeout."""

    timeout: PositiveDuration = Field(description="after which it fails such an execution")


class Stage(Strict):
    """One thing that a request passes through."""

    kind: Literal["service", "agent"] = Field(
        "service", description="the work of an agent counts as agent execution"
    )
    work: Work | None = Field(None, description="how long the stage's own work takes")
    failure_rate: Share = Field(0.0, description="chance that a call fails after its work")
    concurrency: Count | None = Field(None, description="calls worked on at once")
    queue_limit: Whole | None = Field(
        None, description="calls that may wait for concurrency; one more is rejected"
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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.work is None and not self.stages:
            raise problem("a stage needs work, or stages inside it")
        if self.queue_limit is not None and self.concurrency is None:
            raise problem("queue_limit needs concurrency, else nothing queues", "queue_limit")
        if self.pool is None and "session" in self.model_fields_set:
            raise problem("session needs a pool to take its connection from", "session")
        if self.work is None:
            for key in ("tracker", "failure_rate", "kind"):
                if key in self.model_fields_set and getattr(self, key) is not None:
                    message = (
                        f"{key} needs work of the stage's own; this one has only stages inside"
                    )
                    raise problem(message, key)
        self._check_policy_names()
        return self

    def _check_policy_names(self) -> None:
        seen: set[str] = set()
        for i, policy in enumerate(self.policies):
            at = ("policies", i, policy.kind)
            if policy.name in type(self).known_keys():
                raise problem(f'"{policy.name}" is a key of stages; name it otherwise', *at, "name")
            if policy.name in seen:
                message = f'another policy of this stage goes by "{policy.name}"; give one a "name"'
                raise problem(message, *at, key=True)
            seen.add(policy.name)
