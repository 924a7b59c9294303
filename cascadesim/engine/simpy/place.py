"""The place of a call in a stage; see handover.py."""

from __future__ import annotations

from collections.abc import Callable

Release = Callable[[], None]


class Place:
    """A place that a call keeps in one stage until the next stage takes it in."""

    __slots__ = ("_over", "_release")

    def __init__(self) -> None:
        self._release: Release | None = None
        self._over = False

    def keep(self, release: Release) -> None:
        """Keep a place until it is freed by `release`: at once where the call has moved on."""
        if self._over or self._release is not None:
            release()
        else:
            self._release = release

    def take(self) -> Release | None:
        """Return the function that frees the place; the caller must call it from now on."""
        self._over = True
        release, self._release = self._release, None
        return release

    def free(self) -> None:
        """Free the place, if it is still kept."""
        release = self.take()
        if release is not None:
            release()
