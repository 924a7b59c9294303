"""What options follow: documentation of libraries, papers and formulas.

A model names the sources of its fields by `FOLLOWS = follows(…)`; in the JSON Schema each property
has its own as `x-source`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict


@dataclass(frozen=True, slots=True)
class Source:
    """Something that can be looked up; `url` is empty for a book or an article in print."""

    title: str
    url: str = ""

    def said(self) -> JsonDict:
        """Return the source as it stands in a JSON Schema."""
        return {"title": self.title, "url": self.url} if self.url else {"title": self.title}


@dataclass(frozen=True, slots=True)
class Followed:
    """The sources of a model: of single fields, and of all the others."""

    others: tuple[Source, ...] = ()
    fields: Mapping[str, Source | tuple[Source, ...]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[Source, ...]:
        """Return the sources of the field of that name."""
        sources = self.fields.get(name, self.others)
        return (sources,) if isinstance(sources, Source) else sources


def follows(*others: Source, **fields: Source | tuple[Source, ...]) -> Followed:
    """Return the sources of a model: `fields` by name, `others` for all fields not named."""
    return Followed(others, fields)


# Circuit breakers
BREAKER = Source(
    'M. Fowler, "CircuitBreaker", 2014', "https://martinfowler.com/bliki/CircuitBreaker.html"
)
PYBREAKER = Source(
    "pybreaker 1.4, CircuitBreaker.__init__", "https://github.com/danielfm/pybreaker"
)
PURGATORY = Source(
    "purgatory 3, AsyncCircuitBreakerFactory.__init__", "https://github.com/mardiros/purgatory"
)
RESILIENCE4J = Source(
    'resilience4j 2, "CircuitBreaker"', "https://resilience4j.readme.io/docs/circuitbreaker"
)
POLLY = Source(
    'Polly 8, "Circuit breaker resilience strategy"',
    "https://www.pollydocs.org/strategies/circuit-breaker",
)
ENVOY = Source(
    'Envoy, "Outlier detection"',
    "https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier",
)
PANIC = Source(
    'Envoy, "Panic threshold"',
    "https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/"
    "panic_threshold",
)
GOBREAKER = Source("gobreaker 2, Settings", "https://github.com/sony/gobreaker")
OPOSSUM = Source("opossum 9, CircuitBreaker", "https://github.com/nodeshift/opossum")
CANCELLED = Source(
    "resilience4j 2, CircuitBreaker.CircuitBreakerFuture.get",
    "https://github.com/resilience4j/resilience4j",
)
BREAK_DURATION = Source(
    "Polly 8, BreakDurationGeneratorArguments",
    "https://www.pollydocs.org/api/Polly.CircuitBreaker.BreakDurationGeneratorArguments.html",
)
# Other policies
BULKHEAD = Source('resilience4j 2, "Bulkhead"', "https://resilience4j.readme.io/docs/bulkhead")
BACKOFF = Source(
    'M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015',
    "https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/",
)
RETRY_BUDGET = Source(
    'Finagle, "Clients", Retries: RetryBudget',
    "https://twitter.github.io/finagle/guide/Clients.html#retries",
)
AWS_RETRIES = Source(
    'AWS SDKs and Tools Reference Guide, "Retry behavior", standard mode',
    "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
)
ENVOY_BUDGET = Source(
    "Envoy, config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget",
    "https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto",
)
GRPC_BACKOFF = Source(
    'gRPC, "Connection Backoff Protocol": a jitter of 0.2',
    "https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md",
)
RETRY_AFTER = Source(
    'RFC 9110, "HTTP Semantics", 10.2.3: Retry-After',
    "https://www.rfc-editor.org/rfc/rfc9110#field.retry-after",
)
URLLIB3 = Source(
    "urllib3 2, Retry: respect_retry_after_header",
    "https://urllib3.readthedocs.io/en/stable/reference/urllib3.util.html",
)
TENACITY = Source(
    "tenacity, stop_after_delay", "https://tenacity.readthedocs.io/en/latest/api.html"
)
ADAPTIVE_LIMIT = Source(
    "Netflix, concurrency-limits: AIMDLimit, Gradient2Limit and VegasLimit",
    "https://github.com/Netflix/concurrency-limits",
)
RATE_LIMIT = Source(
    "Go, golang.org/x/time/rate: Limiter", "https://pkg.go.dev/golang.org/x/time/rate"
)
HEDGE = Source('gRPC, "Request Hedging"', "https://grpc.io/docs/guides/request-hedging/")
TAIL_AT_SCALE = Source(
    'J. Dean, L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013',
    "https://research.google/pubs/the-tail-at-scale/",
)
THROTTLE = Source(
    'gRPC proposal A6, "Client Retries", Throttling Retry Attempts and Hedged RPCs',
    "https://github.com/grpc/proposal/blob/master/A6-client-retries.md",
)
DEADLINES = Source('gRPC, "Deadlines"', "https://grpc.io/docs/guides/deadlines/")
CONTEXT = Source("Go, package context", "https://pkg.go.dev/context")
CANCELLATION = Source(
    'Python, "Coroutines and Tasks", Timeouts',
    "https://docs.python.org/3/library/asyncio-task.html#timeouts",
)
# Stages and pools
LIFO = Source(
    'B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015',
    "https://queue.acm.org/detail.cfm?id=2839461",
)
QUEUES = Source(
    'Gross, Shortle, Thompson, Harris, "Fundamentals of Queueing Theory", 4th ed., ch. 2'
)
FOLLY = Source(
    "Facebook, folly::Codel",
    "https://github.com/facebook/folly/blob/main/folly/executors/Codel.cpp",
)
CODEL = Source(
    'K. Nichols et al., "Controlled Delay Active Queue Management", RFC 8289, 2018',
    "https://www.rfc-editor.org/rfc/rfc8289",
)
BLOCKING = Source(
    'Onvural, "Survey of Closed Queueing Networks with Blocking", ACM Computing Surveys 22(2), 1990'
)
CIW = Source("Ciw 3.2, type I blocking", "https://github.com/CiwPython/Ciw")
TASK_GROUP = Source(
    'Python, "Coroutines and Tasks", Task Groups',
    "https://docs.python.org/3/library/asyncio-task.html#task-groups",
)
SQLALCHEMY = Source(
    'SQLAlchemy 2.1, "Connection Pooling"',
    "https://docs.sqlalchemy.org/en/21/core/pooling.html",
)
POSTGRESQL = Source(
    'PostgreSQL, "Connections and Authentication": max_connections',
    "https://www.postgresql.org/docs/current/runtime-config-connection.html",
)
# Workload and work
CONTINUOUS = Source(
    'Johnson, Kotz, Balakrishnan, "Continuous Univariate Distributions", 2nd ed., ch. 14 '
    "(lognormal: the quantile q is median * exp(sigma * z(q))), 17 (gamma), 19 (exponential), "
    "20 (Pareto)"
)
NONHOMOGENEOUS = Source('Law, "Simulation Modeling and Analysis", 5th ed., section 8.6.2')
POISSON = Source('Law, "Simulation Modeling and Analysis", 5th ed., section 8.6.1')
MACHINE_REPAIR = Source(
    'Gross, Shortle, Thompson, Harris, "Fundamentals of Queueing Theory", 4th ed., section 2.8'
)
# Connections
WEBSOCKET = Source(
    'I. Fette, A. Melnikov, "The WebSocket Protocol", RFC 6455, 2011',
    "https://www.rfc-editor.org/rfc/rfc6455",
)
KEEPALIVE = Source(
    'Python websockets, "Keepalive and latency"',
    "https://websockets.readthedocs.io/en/stable/topics/keepalive.html",
)
IDLE_TIMEOUT = Source(
    "nginx, proxy_read_timeout",
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout",
)
RECONNECT = Source(
    "Socket.IO client: reconnectionDelay, randomizationFactor",
    "https://socket.io/docs/v4/client-options/#reconnectiondelay",
)
OFFLINE = Source(
    'Socket.IO, "Offline behavior": buffered by default; volatile events are not',
    "https://socket.io/docs/v4/client-offline-behavior/",
)
HANDLERS = Source(
    "Python websockets, ServerConnection: after a loss the next recv or send of a handler raises",
    "https://websockets.readthedocs.io/en/stable/reference/asyncio/server.html",
)
# Faults
RENEWAL = Source('Ross, "Stochastic Processes", 2nd ed., section 3.4')
WARMING_UP = Source(
    "Guava, RateLimiter: SmoothWarmingUp",
    "https://github.com/google/guava/blob/master/guava/src/com/google/common/util/concurrent/"
    "SmoothRateLimiter.java",
)
# Experiments
MSER5 = Source(
    'White, Cobb, Spratt, "A Comparison of Five Steady-State Truncation Heuristics for '
    'Simulation", Winter Simulation Conference, 2000'
)
THRESHOLDS = Source(
    'Grafana k6, "Thresholds"', "https://grafana.com/docs/k6/latest/using-k6/thresholds/"
)
SAMPLES = Source(
    "SciPy, scipy.stats.qmc", "https://docs.scipy.org/doc/scipy/reference/stats.qmc.html"
)
SALIB = Source("SALib, sample.sobol", "https://salib.readthedocs.io/en/latest/api.html")
