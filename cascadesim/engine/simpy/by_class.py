"""Classes of requests: each takes a path of its own through stages that all share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.engine.simpy.kernel import Call
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.plan.classes import Classes


class ByClass:
    """Sends each request on the path of its class."""

    def __init__(self, paths: Sequence[Layer], classes: Classes) -> None:
        self._paths = paths
        self._classes = classes

    def call(self, request: Request) -> Call:
        """Carry the request through the stages of its class."""
        return self._paths[self._classes.of(request.number)].call(request)
