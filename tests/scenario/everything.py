"""Scenarios in which every key stands; the first is what the tests here change by text."""

from pathlib import Path

from cascadesim.faults.registry import settings_by_kind

EVERYTHING = """\
name: everything
summary: Every key, once.
clock: "23:29:00"
horizon: 10min
drain: 1min
warmup: 30s
seed: 7
workload:
  arrivals: {poisson: {rate: 4/s}}
stages:
  auth:
    work: {lognormal: {median: 15ms, p99: 80ms}}
    policies:
      - breaker: {failure_threshold: 5, recovery_timeout: 60s, when_open: wait}
  backend:
    stages:
      agent:
        kind: agent
        concurrency: 20
        queue_limit: 100
        failure_rate: 1%
        work: {lognormal: {median: 250ms, sigma: 0.5}}
        tracker: {timeout: 30s}
        startup: {timeout: 120s}
        policies:
          - fallback: {work: {constant: 1ms}, outcomes: [rejected]}
          - retry:
              attempts: 3
              backoff: exponential
              base: 100ms
              multiplier: 2
              cap: 5s
              jitter: full
              budget: 10%
              outcomes: [failed]
          - breaker:
              name: outer
              recovery_timeout: 60s
              half_open_permits: 1
              successes_to_close: 1
              max_recoveries: 1
              outcomes: [failed, timed_out]
          - breaker: {recovery_timeout: 10s, enabled: false}
          - deadline: {timeout: 30s, on_timeout: cancel}
  database:
    pool:
      kind: queue
      connect_time: 40ms
      max_connections: 100
      size: 5
      max_overflow: 10
      timeout: 30s
      recycle: 1h
    session: {lifetime: 300s, leak: 0.1%}
    work: {uniform: {low: 1ms, high: 8ms}}
  log:
    work: {exponential: {mean: 2ms}}
faults:
  - {on: agent, from: 1min, for: 45s, outage: {fail_after: 1s}}
  - {on: database, from: "23:35:00", for: 10s, latency: {multiply: 3, add: 10ms}}
  - {on: auth, from: 3min, for: 1s, error_rate: {share: 50%}}
  - {on: log, from: 4min, for: 1s, partition: {}}
  - {on: agent, from: 5min, for: 20s, restart: {}}
observations:
  - {at: "23:31:00", latency: 60.272154s, stamp: reply, work: {agent: 250ms}}
objectives: ["p99 < 5s", error_rate < 1%]
variants:
  before: {}
  after: {agent.outer.recovery_timeout: 10s, agent.deadline.timeout: 15s}
  longer: {extends: after, horizon: 20min}
sweep:
  vary: {agent.outer.recovery_timeout: [10s, 60s], agent.deadline.timeout: 1s..30s}
  sample: sobol:64
  replications: 2
"""

LATENCIES = Path(__file__).parents[1] / "data" / "latencies.csv"
WORKS = """\
name: works
horizon: 1min
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  agent:
    work:
      mixture:
        quick: {weight: 60%, gamma: {mean: 20ms, cv: 1.5}}
        usual: {weight: 0.2, gamma: {mean: 90ms, shape: 3}}
        slow: {weight: 0.1, pareto: {minimum: 200ms, alpha: 1.5}}
        stuck: {weight: 0.1, pareto: {median: 1s, p99: 60s, cap: 2min}}
        again: {weight: 2, empirical: {file: FILE, column: latency_ms, unit: ms}}
""".replace("FILE", str(LATENCIES))
BREAKERS = """\
name: breakers
horizon: 1min
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  agent:
    work: {constant: 1s}
    policies:
      - breaker:
          name: failing
          window: {calls: 100, minimum: 20, failure_rate: 50%, strict: true}
          recovery_timeout: 10s
          half_open_permits: all
          cancelled: failure
      - breaker:
          name: slow
          window: {time: 60s, minimum: 20, slow_call: 2s, slow_rate: 80%}
          recovery_timeout: 10s
      - breaker:
          preset: envoy
          max_recovery_timeout: 1min
          interval: 5s
          max_ejection: 100%
          panic_threshold: 0%
      - breaker:
          name: growing
          clear_every: 1min
          recovery_timeout: 10s
          recovery_growth: 2
          half_open_limit: in_total
"""
POOLS = """\
name: pools
horizon: 1min
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  database:
    work: {constant: 8ms}
    pool:
      connect_time: {lognormal: {median: 40ms, p99: 200ms}}
      size: 0
      use_lifo: true
      pre_ping: true
      ping_time: 1ms
  local: {work: {constant: 1ms}, pool: {kind: static, connect_time: 1ms, pre_ping: true}}
"""
QUEUES = """\
name: queues
horizon: 1min
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  agent:
    work: {constant: 1s}
    concurrency: 2
    queue_limit: 10
    queue: lifo
    policies:
      - deadline: {timeout: 30s, on_timeout: abandon, propagate: true}
      - hedge: {after: 2s, attempts: 3, throttle: {max_tokens: 10, token_ratio: 0.1}}
      - rate_limit: {rate: 10/s, burst: 20, queue_limit: 5, timeout: 1s}
      - bulkhead: {concurrency: 10, queue_limit: 5, timeout: 1s, codel: {law: rfc8289}}
  gate: {work: {constant: 1ms}, concurrency: 1}
  store: {work: {constant: 1s}, concurrency: 1, queue_limit: 5, when_full: block}
  fan:
    parallel: true
    stages:
      left: {work: {constant: 1s}}
      right: {work: {constant: 2s}, concurrency: 2, codel: {target: 10ms, interval: 1s}}
"""
LIMITS = """\
name: limits
horizon: 1min
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  agent:
    work: {constant: 1s}
    policies:
      - adaptive_limit: {initial: 10, min: 5, smoothing: 0.3, queue_size: 2, long_window: 100}
      - adaptive_limit: {name: loss, algorithm: aimd, backoff_ratio: 0.8, timeout: 2s}
      - adaptive_limit: {name: delay, algorithm: vegas, max: 50, probe_multiplier: 10}
      - retry:
          randomization: 20%
          stop_after: 20s
          honours_retry_after: false
          budget: 10%
          budget_reserve: 10/s
          budget_span: 10s
          throttle: {max_tokens: 10, token_ratio: 0.1}
          quota: {tokens: 500, cost: 5, timeout_cost: 10, refund: 1}
          active_budget: {share: 20%, minimum: 3}
    concurrency: 5
    queue_limit: 5
    retry_after: 2s
"""
CURVE = """\
name: curve
horizon: 1d
workload:
  arrivals:
    piecewise:
      rates:
        - {from: 0s, rate: 0/s}
        - {from: 6h, rate: 2/min, to: 0.5/s}
        - {from: 12h, rate: 30/min}
      period: 24h
      spacing: even
stages: {a: {work: {constant: 1ms}}}
"""
REPLAY = """\
name: replay
clock: "23:29:00"
horizon: 1min
workload: {arrivals: {replay: {file: FILE, column: at, speed: 2, share: 50%}}}
stages: {a: {work: {constant: 1ms}}}
""".replace("FILE", str(LATENCIES))
FAULTS = """\
name: faults
horizon: 10min
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  agent: {work: {constant: 250ms}}
  database: {work: {constant: 8ms}, pool: {connect_time: 40ms}}
faults:
  - {on: [agent, database], from: 1min, for: 45s, outage: {}}
  - {on: database, random: {mtbf: 10min, mttr: 30s}, restart: {cold_start: {multiply: 3, for: 30s}}}
  - {on: database, from: 2min, for: 1min, pool_leak: {share: 20%}}
  - {on: agent, from: 0s, for: 1min, cold_start: {multiply: 5}}
""" + "".join(  # and every fault without settings
    f"  - {{on: agent, from: 5min, for: 1s, {kind}: {{}}}}\n"
    for kind, settings in settings_by_kind().items()
    if not settings.model_fields
)
CLIENTS = """\
name: clients
horizon: 1min
workload: {closed: {clients: 50, think: {exponential: {mean: 1s}}}}
stages: {a: {work: {constant: 1ms}}}
"""
CONNECTIONS = """\
name: connections
horizon: 10min
workload:
  connections:
    clients: 500
    messages: {exponential: {mean: 10s}}
    connect_over: 30s
    ordering: independent
    when_disconnected: drop
    on_disconnect: cancel
    handshake:
      timeout: 5s
      on_timeout: abandon
      stages:
        login: {concurrency: 20, work: {lognormal: {median: 50ms, p99: 200ms}}}
    ping: {interval: 25s, timeout: 20s}
    idle_timeout: 60s
    limit: 1000
    reply_timeout: 30s
    lifetime: {exponential: {mean: 20min}}
    reconnect: {backoff: linear, base: 2s, multiplier: 3, cap: 30s, jitter: full, attempts: 9}
stages: {agent: {work: {constant: 250ms}}}
faults:
  - {on: connections, from: 1min, for: 5s, restart: {}}
  - {on: login, from: 1min, for: 5s, outage: {}}
"""
CLASSES = """\
name: classes
clock: "23:29:00"
horizon: 1min
workload:
  arrivals: {poisson: {rate: 10/s}}
  classes:
    chat: {weight: 9, path: [auth, agent], objectives: [p99 < 5s]}
    search: {weight: 10%, path: [auth, search], objectives: [p95 < 500ms, error_rate < 1%]}
stages:
  auth: {work: {constant: 15ms}}
  agent: {stages: {model: {work: {constant: 250ms}}}}
  search: {work: {constant: 40ms}}
observations:
  - {at: "23:29:30", latency: 1s, class: chat, work: {model: 985ms}}
objectives: ["p99.9 < 9s", "chat: goodput > 5/s"]
"""
APART = """\
name: apart
horizon: 1min
workload:
  classes:
    chat: {arrivals: {poisson: {rate: 9/s}}}
    search: {arrivals: {piecewise: {rates: [{from: 0s, rate: 1/s}]}}, path: [search, auth]}
stages:
  auth: {work: {constant: 15ms}}
  search: {work: {constant: 40ms}}
"""
ALL = (
    *(EVERYTHING, WORKS, BREAKERS, POOLS, QUEUES, LIMITS, CURVE, REPLAY, FAULTS),
    *(CLIENTS, CONNECTIONS, CLASSES, APART),
)


def swap(old: str, new: str, text: str = EVERYTHING) -> str:
    """Return the scenario with the first `old` in its text replaced."""
    assert old in text
    return text.replace(old, new, 1)
