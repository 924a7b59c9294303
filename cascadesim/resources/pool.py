"""Connection pools after SQLAlchemy's QueuePool, NullPool and StaticPool, and sessions on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    model_validator,
)
from pydantic_core.core_schema import no_info_before_validator_function

from cascadesim.policies.plan import tightest
from cascadesim.resources.session import SessionPlan
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.distributions import Work
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict, problem
from cascadesim.values.units import (
    Count,
    Duration,
    PositiveDuration,
    Share,
    Whole,
    duration_text,
    or_infinite,
    parse_duration,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import CoreSchema

    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.plan import Around
    from cascadesim.randomness import Distribution


class _Constant:
    """Lets a plain duration stand for work that always takes that long."""

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
    """Database connections: `{connect_time: 20ms, size: 20}`.

    They are kept as by SQLAlchemy's QueuePool, NullPool and StaticPool.
    """

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

    def plan(self) -> PoolPlan:
        """Return the plan."""
        return PoolPlan(
            kind=self.kind,
            connect_time=self.connect_time.distribution,
            max_connections=or_infinite(self.max_connections),
            size=self.size,
            max_overflow=self.max_overflow,
            timeout=self.timeout,
            recycle=or_infinite(self.recycle),
            use_lifo=self.use_lifo,
            pre_ping=self.pre_ping,
            ping_time=self.ping_time,
        )


class Session(Strict):
    """The span for which a request holds a connection."""

    lifetime: PositiveDuration | None = Field(
        None, description="after which the reaper ends a session, in use or leaked"
    )
    leak: Share = Field(0.0, description="share of sessions that their request never closes")

    def plan(self) -> SessionPlan:
        """Return the plan."""
        return SessionPlan(or_infinite(self.lifetime), self.leak)


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Settings of one pool, times in seconds. `kind` is "queue", "null" or "static"."""

    kind: str
    connect_time: Distribution
    max_connections: float = math.inf  # of the database server
    size: int = 5  # 0 keeps all
    max_overflow: int = 10  # -1 sets no limit
    timeout: float = 30.0
    recycle: float = math.inf
    use_lifo: bool = False
    pre_ping: bool = False
    ping_time: float = 0.0

    @property
    def limit(self) -> float:
        """Return how many connections can be checked out at once."""
        if self.kind != "queue" or self.size == 0 or self.max_overflow == -1:
            return math.inf
        return self.size + self.max_overflow

    @property
    def keeps(self) -> float:
        """Return how many idle connections it keeps."""
        if self.kind == "queue":
            return self.size or math.inf
        return 1 if self.kind == "static" else 0

    def bound(self, where: str) -> Bound:
        """Return the worst case of getting a connection: wait for it, ping it, make another."""
        bound = Bound({f"{where}.connect_time": self.connect_time.upper})
        if self.pre_ping:
            bound += Bound({f"{where}.ping_time": self.ping_time})
        if self.limit < math.inf:
            bound += Bound({f"{where}.timeout": self.timeout})
        return bound


def pool_contradictions(stage: StagePlan, around: Around) -> Iterator[Contradiction]:
    """Yield the settings that contradict the pool of a stage inside these policies."""
    pool, session = stage.pool, stage.session
    if pool is None:
        return
    yield from _beyond_database(stage, pool, around)
    if pool.limit == math.inf:
        return
    caller = tightest(around)
    where = f"{stage.name}.pool.timeout"
    if caller is not None and pool.timeout > caller.seconds:
        yield Contradiction(
            CALLER_LEAVES,
            (where, caller.setting),
            f"callers give up after {duration_text(caller.seconds)}, before the pool's timeout of "
            f"{duration_text(pool.timeout)} tells them that it is exhausted",
        )
    if session.lifetime <= pool.timeout:
        return
    if session.lifetime < math.inf:
        freed = f"before the reaper frees one after {duration_text(session.lifetime)}"
    elif session.leak or any(fault.leak_share for fault in stage.faults):
        freed = "and nothing ever frees one, as sessions have no lifetime"
    else:
        return  # no reaper, and nothing for it to do
    yield Contradiction(
        OUTLIVES_WAITERS,
        (f"{stage.name}.session.lifetime", where),
        f"with all {pool.limit:g} connections held by stuck or leaked sessions, every waiting "
        f"caller gives up after {duration_text(pool.timeout)}, {freed}",
    )


def _beyond_database(stage: StagePlan, pool: PoolPlan, around: Around) -> Iterator[Contradiction]:
    """Yield that a pool opens more connections than the database accepts."""
    rooms = (policy.lets_in(path) for path, policy in around)
    calls = min(stage.concurrency, *(room.calls for room in rooms if room is not None), math.inf)
    most = pool.max_connections
    if pool.kind == "queue" and most < min(pool.limit, calls):
        opens = "any number of" if pool.limit == math.inf else f"up to {pool.limit:g}"
        yield Contradiction(
            BEYOND_DATABASE,
            (f"{stage.name}.pool.max_overflow", f"{stage.name}.pool.max_connections"),
            f"the pool opens {opens} connections, and the database refuses more than {most:g}: the "
            "call fails at once, and does not wait for a free one",
        )


BEYOND_DATABASE = Rule(
    code="P04",
    name="pool-beyond-database",
    says="A pool may open more connections (`size` and `max_overflow`) than the database accepts "
    "(`max_connections`).",
    why="When it is busy, calls fail with an error of the database at once, though a connection "
    "would be free a moment later.",
    example="""\
pool: {size: 10, max_overflow: 10, max_connections: 15, connect_time: 15ms}
""",
    instead="Keep `size` plus `max_overflow`, times the number of processes, below "
    "`max_connections`.",
)
LIFETIME_BELOW_WORK = Rule(
    code="P05",
    name="lifetime-below-work",
    says="The reaper ends sessions (`session.lifetime`) sooner than their work takes at least.",
    why="No call of the stage ever ends well: all of them lose their connection.",
    example="""\
work: {constant: 30s}
pool: {connect_time: 15ms}
session: {lifetime: 20s}
""",
    instead="Set `session.lifetime` well above the work, or hold no session during slow work.",
)
LEAKS_FILL_POOL = Rule(
    code="P06",
    name="leaks-fill-the-pool",
    says="Sessions leak (`session.leak`) faster than the reaper (`session.lifetime`) frees them, "
    "until leaked ones hold every connection.",
    why="However little the load is, the pool is exhausted after some time, and stays so.",
    example="""\
# at 1 request/s
pool: {size: 5, max_overflow: 10, connect_time: 15ms}
session: {leak: 40%, lifetime: 25min}
""",
    instead="Close sessions in every case (`with`), and let the reaper end them sooner.",
)
CALLER_LEAVES = Rule(
    code="P01",
    name="pool-timeout-beyond-caller",
    says="Callers of a pool have a deadline that is shorter than the pool's `timeout`.",
    why="The pool never gets to say that it is exhausted. The error names the deadline instead, "
    "and the wait takes all of the caller's time.",
    example="""\
policies:
  - deadline: {timeout: 5s}
pool: {size: 5, timeout: 30s, connect_time: 15ms}
""",
    instead="Set the pool's `timeout` well below the deadline: a tenth to a half of it.",
)
OUTLIVES_WAITERS = Rule(
    code="P02",
    name="session-outlives-waiters",
    says="A session may hold a connection for longer (`session.lifetime`) than a caller waits for "
    "one (`pool.timeout`).",
    why="When stuck or leaked sessions hold every connection, each waiting caller times out before "
    "the reaper frees one.",
    example="""\
pool: {size: 5, timeout: 5s, connect_time: 15ms}
session: {lifetime: 5min}
""",
    instead="Set `session.lifetime` below `pool.timeout`, or close sessions before slow work.",
)
