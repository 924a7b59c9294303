"""Rules that concern several things of a plan at once; those of one thing stand in its file."""

from __future__ import annotations

from cascadesim.values.rules import Rule

INNER_BEYOND_OUTER = Rule(
    code="T01",
    name="inner-timeout-beyond-outer",
    says="A timeout stands inside another one that is shorter.",
    why="The inner timeout never fires. Whoever reads the settings takes it for the limit, and the "
    "errors name the outer one.",
    example="""\
policies:
  - deadline: {timeout: 10s}
  - bulkhead: {concurrency: 5, timeout: 30s}
""",
    instead="Set inner timeouts below the outer ones, so that the call can still fail over.",
)
RETRIES_BEYOND_CAPACITY = Rule(
    code="T02",
    name="retries-beyond-capacity",
    says="When calls fail, retries or hedges make more calls than the stage can work on, though it "
    "can work on the requests themselves.",
    why="An outage of seconds becomes one of minutes: the repeated calls alone keep the stage "
    "overloaded (a metastable failure).",
    example="""\
concurrency: 10
work: {constant: 100ms}     # 100 calls a second at most
policies:
  - retry: {attempts: 5}    # 40 requests a second become 200 calls
""",
    instead="Give the retry a `budget`, put a breaker inside it, or allow fewer attempts.",
)
BEYOND_OBJECTIVE = Rule(
    code="T03",
    name="recoveries-beyond-objective",
    says="Callers wait for open breakers to recover (`when_open: wait`), and the recoveries along "
    "the path take longer than a latency objective allows.",
    why="Whenever these breakers open, the objective is missed by every caller that waits.",
    example="""\
objectives: [p99 < 5s]
stages:
  agent:
    policies:
      - breaker: {recovery_timeout: 60s, when_open: wait}
""",
    instead="Shorten the recoveries, or reject at once (`when_open: reject`) with a fallback.",
)
PINGS_TOO_RARE = Rule(
    code="W01",
    name="pings-too-rare",
    says="Pings of WebSocket connections come less often than a proxy cuts quiet connections.",
    why="The pings keep no connection alive, so quiet clients are cut and come back.",
    example="""\
connections:
  ping: {interval: 60s}
  idle_timeout: 30s
""",
    instead="Set `ping.interval` to half of `idle_timeout` or less.",
)
LIMIT_BELOW_CLIENTS = Rule(
    code="W02",
    name="limit-below-clients",
    says="The server holds fewer connections (`limit`) than there are clients.",
    why="Some clients are always refused, and their attempts to come back never end.",
    example="""\
connections: {clients: 500, limit: 400}
""",
    instead="Raise the limit, or describe fewer clients.",
)
HANDSHAKES_FOR_NOBODY = Rule(
    code="W03",
    name="handshakes-for-nobody",
    says="Handshakes queue for longer than clients wait for them, and the server goes on with "
    "those that were given up (`on_timeout: abandon`).",
    why="After all clients were cut at once, the server works on handshakes that nobody waits for, "
    "so they come back later or never.",
    example="""\
connections:
  clients: 2000
  handshake:
    timeout: 10s
    on_timeout: abandon
    stages:
      login: {work: {constant: 100ms}, concurrency: 10, queue_limit: 2000}
""",
    instead="Shorten the queue (`queue_limit`) so that its last is served in time, or cancel "
    "handshakes whose client has gone.",
)
