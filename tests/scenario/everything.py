"""A scenario in which every key stands once, and which the tests here change by text."""

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


def swap(old: str, new: str) -> str:
    """Return the scenario with the first `old` in its text replaced."""
    assert old in EVERYTHING
    return EVERYTHING.replace(old, new, 1)
