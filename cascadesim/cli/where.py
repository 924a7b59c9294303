"""The options that say where replications run, and the command that looks after their store."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from cascadesim.cli.app import Command, app
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from cascadesim.studies.execution import Execution


def _jobs(number: int) -> int:
    if number == -1 or number >= 1:
        return number
    raise typer.BadParameter("expected -1 or a number from 1")


Jobs = Annotated[
    int,
    typer.Option(metavar="N", callback=_jobs, help="Processes, for replications; -1: one a core."),
]


class Backend(StrEnum):
    """What runs replications."""

    PROCESSES = "processes"
    DASK = "dask"


BackendOption = Annotated[
    Backend, typer.Option("--backend", help="Processes on this machine, or a Dask cluster.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Of the Dask scheduler; a cluster on this machine if none."
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="DIR",
        envvar="CASCADESIM_STORE",
        help="Keep results here, and run none twice; in the user's cache folder if not given.",
    ),
]
NoStore = Annotated[bool, typer.Option("--no-store", help="Keep no results, and use none.")]


@dataclass(frozen=True, slots=True)
class Where:
    """Where replications run, and where their results are kept, as the options say."""

    jobs: Jobs = -1
    backend: BackendOption = Backend.PROCESSES
    scheduler: Scheduler = None
    store: StoreOption = None
    no_store: NoStore = False

    def execution(self) -> Execution:
        """Return the execution that the options ask for. Raises ScenarioError."""
        from cascadesim.studies.execution import Execution

        folder = None if self.no_store else store_folder(self.store) or _writable(default_store())
        return Execution(self.jobs, self.backend.value, self.scheduler, folder)


HERE = Where()


def runs_somewhere(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Where` in place of its parameter `where`."""
    hints = get_type_hints(command, include_extras=True)
    options = [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hint)
        for field, hint in zip(
            fields(Where), get_type_hints(Where, include_extras=True).values(), strict=True
        )
    ]
    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        here = parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
        parameters += options if name == "where" else [here]

    @wraps(command)
    def with_options(**given: Any) -> None:
        where = Where(*(given.pop(option.name) for option in options))
        command(**given, where=where)

    with_options.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # Typer reads it
    with_options.__annotations__ = {option.name: option.annotation for option in parameters}
    return with_options


def store_folder(store: str | None) -> Path | None:
    """Return the folder that the option names."""
    if store == "":
        raise ScenarioError("expected a folder", "--store ''")
    return None if store is None else Path(store)


def default_store() -> Path:
    """Return the folder for results in the user's cache."""
    from platformdirs import user_cache_path

    return user_cache_path("cascadesim") / "results"


def _writable(folder: Path) -> Path | None:
    """Return the folder; None, and say so, where nothing can be written into it."""
    from cascadesim.files import check_writable

    try:
        check_writable(folder, ())
    except ScenarioError as error:
        print(f"{error}; results are not kept", file=sys.stderr)
        return None
    return folder


@app.command(cls=Command)
def store(
    store: StoreOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all results.")] = False,
) -> None:
    """Tell where the results of compare, sweep and optimize are kept, and how many.

    \b
    Examples:
      cascadesim store
      cascadesim store --clear
    """
    from cascadesim.studies.store import Store, code_version
    from cascadesim.views.page import Note, Page, blocks, table
    from cascadesim.views.terminal import print_page

    folder = store_folder(store) or default_store()
    with Store(folder) as kept:
        if clear:
            kept.clear()
        rows = [
            (kind.version, f"{kind.replications:,}", f"{kind.bytes / 2**20:.2f}")
            for kind in kept.describe()
        ]
    older = Note("Its folders version=* are an older store's; nothing reads them any more.")
    parts = blocks(
        table("", ("version", "replications", "MiB"), rows) or Note("There are none."),
        older if any(folder.glob("version=*")) else None,
    )
    print_page(Page(f"Results are kept in {folder}; this is version {code_version()}.", parts))
