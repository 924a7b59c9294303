"""Stages in parallel: a request that is in several places at once, and waits for all of them.

It follows asyncio.TaskGroup (Python documentation, "Coroutines and Tasks", section "Task Groups"):
all branches begin, even where one fails at once. The first error cancels the branches under way,
which frees what they hold, and is the outcome of the whole. Java's StructuredTaskScope and Go's
errgroup with a context do the same. Without an error the whole ends with the slowest branch, and
one degraded answer makes it degraded.

Each branch is a twin of the request with a ledger of its own. The request takes over the ledger of
its critical path: of the branch that ends last, or of the one whose error ends it. Where its caller
gives up first, or the replication ends, it takes that of the first branch under way. The time of
the other branches is recorded beside it.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import Call, Cancelled, Kernel
from cascadesim.engine.simpy.propagation import run
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.request import Layer, Request


class Parallel:
    """Carries a request through all layers at once."""

    def __init__(self, layers: tuple[Layer, ...], kernel: Kernel) -> None:
        self._layers = layers
        self._kernel = kernel

    def call(self, request: Request) -> Call:
        """Carry the request through every layer, up to the first error."""
        branches = _Branches(self._kernel, request, self._layers)
        try:
            if not branches.decided:
                branches.waited_for = True
                yield None
        except Cancelled:
            branches.end()
            raise
        branches.end()
        request.ended_by = branches.ended_by
        return branches.outcome


class _Branches:
    """The branches of one request: those under way, and the outcome of the others so far."""

    __slots__ = (
        "_all",
        "_critical",
        "_kernel",
        "_request",
        "_running",
        "ended_by",
        "outcome",
        "waited_for",
    )

    def __init__(self, kernel: Kernel, request: Request, layers: tuple[Layer, ...]) -> None:
        self._kernel = kernel
        self._request = request
        self.outcome = Outcome.OK
        self.ended_by = request.ended_by
        self.waited_for = False
        self._all = tuple(request.branch(kernel.now) for _ in layers)
        self._running = list(self._all)
        self._critical = self._running[0]
        request.follow(self._critical, self._all)
        for twin, layer in zip(self._all, layers, strict=True):
            run(layer.call(twin), twin, kernel, partial(self._done, twin))

    @property
    def decided(self) -> bool:
        """Return whether there is nothing to wait for any more."""
        return self.outcome > Outcome.DEGRADED or not self._running

    def end(self) -> None:
        """Cancel what is under way, and give the request the ledger of its critical path."""
        critical = self._critical if self.decided else self._running[0]
        for twin in tuple(self._running):
            with suppress(Cancelled):
                twin.task.cancel(Cancelled())
        self._request.follow(critical, self._all)
        self._request.catch_up(self._kernel.now)

    def _done(self, twin: Request, outcome: Outcome) -> None:
        self._running.remove(twin)
        twin.stop(self._kernel.now)
        if self.outcome > Outcome.DEGRADED:
            return  # an error has come before, at this very instant
        self._critical = twin
        if outcome >= self.outcome:
            self.outcome = outcome
            self.ended_by = twin.ended_by
        if not self.decided:
            self._request.follow(self._running[0], self._all)
        elif self.waited_for:
            self._kernel.wake(self._request.task)
