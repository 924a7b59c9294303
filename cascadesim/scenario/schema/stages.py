"""What a request passes through, and the connections it draws from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    model_validator,
)
from pydantic_core.core_schema import no_info_before_validator_function

from cascadesim.scenario.schema.policies import Codel, PolicyChoice
from cascadesim.scenario.schema.rows import check_parallel, check_row
from cascadesim.values import sources
from cascadesim.values.distributions import Work
from cascadesim.values.sources import follows
from cascadesim.values.strict import NO_OTHERS, Name, Strict, problem
from cascadesim.values.units import (
    Count,
    Duration,
    PositiveDuration,
    Share,
    Whole,
    parse_duration,
)

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


class _Constant:
    """Lets a duration alone stand for work that always takes as long."""

    @staticmethod
    def validate(value: Any) -> Any:
        if isinstance(value, dict | Work):
            return value
        parse_duration(value)  # for an error that stands here, and not at "constant"
        return {"constant": value}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_before_validator_function(self.validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [TypeAdapter(Duration).json_schema(), handler(schema)]}


WorkOrDuration = Annotated[Work, _Constant()]
Overflow = Annotated[int, Field(strict=True, ge=-1, le=10**9)]


class Pool(Strict):
    """Database connections, after SQLAlchemy's QueuePool, NullPool and StaticPool."""

    FOLLOWS = follows(
        sources.SQLALCHEMY, max_connections=sources.POSTGRESQL, connect_time=(), ping_time=()
    )

    kind: Literal["queue", "null", "static"] = Field(
        "queue",
        description="keep connections, make a new one for each checkout, or share one among all",
    )
    connect_time: WorkOrDuration = Field(description="to make a connection")
    max_connections: Count | None = Field(
        None, description="connections the database accepts; it refuses one more at once"
    )
    size: Whole = Field(5, description="connections kept; 0 keeps all and sets no limit")
    max_overflow: Overflow = Field(
        10, description="connections beyond size, closed when returned; -1 sets no limit"
    )
    timeout: PositiveDuration = Field(
        "30s", validate_default=True, description="longest wait for a connection"
    )
    recycle: PositiveDuration | None = Field(
        None, description="age at which a connection is replaced at checkout"
    )
    use_lifo: bool = Field(
        False, strict=True, description="reuse the connection that was returned last, not first"
    )
    pre_ping: bool = Field(
        False,
        strict=True,
        description="ping a kept connection at checkout, and replace it if the database has "
        "closed it; without, the call that gets it fails",
    )
    ping_time: Duration = Field("1ms", validate_default=True, description="that a ping takes")

    @model_validator(mode="after")
    def _kind_has_them(self) -> Self:
        without = {
            "queue": ((), ""),
            "null": (
                ("size", "max_overflow", "timeout", "recycle", "use_lifo", "pre_ping", "ping_time"),
                "keeps no connections",
            ),
            "static": (
                ("max_connections", "size", "max_overflow", "timeout", "recycle", "use_lifo"),
                "has one connection that all share at once",
            ),
        }
        keys, reason = without[self.kind]
        for key in keys:
            if key in self.model_fields_set:
                raise problem(
                    f'"{key}" has no effect on a pool of kind "{self.kind}", which {reason}; '
                    "write kind: queue or leave it out",
                    key,
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.size == 0 and "max_overflow" in self.model_fields_set:
            message = "a size of 0 sets no limit, so max_overflow has no effect; leave it out"
            raise problem(message, "max_overflow")
        if "ping_time" in self.model_fields_set and "pre_ping" not in self.model_fields_set:
            raise problem("ping_time needs pre_ping: true, else nothing is pinged", "ping_time")
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

    FOLLOWS = follows(
        concurrency=sources.QUEUES,
        queue_limit=sources.QUEUES,
        queue=sources.LIFO,
        codel=(sources.FOLLY, sources.CODEL),
        when_full=(sources.BLOCKING, sources.CIW),
        parallel=sources.TASK_GROUP,
        pool=sources.SQLALCHEMY,
    )

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
            message = "codel needs queue: fifo, as it goes by the wait of the call at the head"
            raise problem(message, "codel")
        if "when_full" in self.model_fields_set and self.queue_limit is None:
            raise problem("when_full needs a queue_limit, else nothing is full", "when_full")
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
                message = f'another policy of this stage goes by "{policy.name}"; give one a "name"'
                raise problem(message, *at, key=True)
            seen.add(policy.name)
