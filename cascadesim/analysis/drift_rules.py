"""Rules of what `lint-config` finds in the files of a service."""

from __future__ import annotations

from cascadesim.values.rules import Rule

DRIFTED = Rule(
    code="D01",
    name="setting-drifted",
    says="A file of the service gives a setting another value than the scenario does; without a "
    "scenario, another than the first place of the setting in the mapping.",
    why="What was simulated is not what runs, so its figures say nothing of the service.",
    example="""\
settings:
  agent.breaker.recovery_timeout:    # 10 s in the scenario
    - app/agent.py:Breaker(recovery_timeout)    # says 60
""",
    instead="Change the file, or the scenario, whichever is wrong. If the file's value is in "
    "another unit, say so in the mapping: `unit: ms`.",
)
DEFAULT_DRIFTED = Rule(
    code="D02",
    name="default-drifted",
    says="A call leaves a setting at its default, which is another value than the scenario's.",
    why="The setting looks as if nobody had chosen it, so that nobody looks after it.",
    example="""\
settings:
  database.pool.timeout:    # 5 s in the scenario
    {at: app/database.py:create_engine(pool_timeout), default: 30}
""",
    instead="Write the value where the call is, or the default into the scenario.",
)
MISSED_CHECK = Rule(
    code="D03",
    name="check-missed",
    says="A comparison under `checks` does not hold for the values in the files.",
    why="The comparison states what must hold between settings, such as that an inner timeout is "
    "below the outer one.",
    example="""\
checks:
  - database.pool.timeout < agent.deadline.timeout    # 30 s and 15 s
""",
    instead="Change one of the settings that the finding names, or the comparison.",
)
