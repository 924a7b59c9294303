"""The one error a user can cause, and where in their files it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in something the user wrote: a file with line and column, or an option."""

    source: str
    line: int | None = None  # counted from 1
    column: int | None = None

    def __str__(self) -> str:
        if self.line is None:
            return self.source
        return f"{self.source}:{self.line}:{self.column}"


class ScenarioError(Exception):
    """Input that cannot be used: where it stands, its path, what is wrong, what is right."""

    def __init__(self, problem: str, mark: Mark | str, path: str = "") -> None:
        self.problem = problem
        self.mark = mark if isinstance(mark, Mark) else Mark(mark)
        self.path = path
        super().__init__(": ".join(str(part) for part in (self.mark, path, problem) if str(part)))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[str, Mark, str]]:
        """Let the error cross process borders whole."""
        return (ScenarioError, (self.problem, self.mark, self.path))
