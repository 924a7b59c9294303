"""Commands run in this process with a real terminal, pipe or device in place of its streams."""

import contextlib
import os
import pty
import sys
import threading
from pathlib import Path
from typing import TextIO

import pytest

from cascadesim.cli import main


def command(
    patch: pytest.MonkeyPatch, *arguments: str | Path, out: TextIO | None, err: TextIO | None
) -> int:
    """Run a command with these streams, None where one is closed, and return its exit code."""
    with patch.context() as inside:
        inside.setattr(sys, "argv", ["cascadesim", *map(str, arguments)])
        inside.setattr(sys, "stdout", out)
        inside.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as stop:
            main()
    return int(stop.value.code or 0)


class Terminal:
    """A terminal to write to, whose far end is read meanwhile, as it holds only some kilobytes."""

    def __enter__(self) -> "Terminal":
        self._far, near = pty.openpty()
        self.file = os.fdopen(near, "w", encoding="utf-8")
        self._seen = b""
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        return self

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while block := os.read(self._far, 4096):
                self._seen += block

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self._reading.join()
        os.close(self._far)

    def shown(self) -> str:
        """Return what was written, once the terminal is closed."""
        return self._seen.decode().replace("\r\n", "\n")
