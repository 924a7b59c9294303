"""Command that looks after the store of results."""

from __future__ import annotations

from typing import Annotated

import typer

from cascadesim.cli.app import Command, app
from cascadesim.cli.where import StoreOption, default_store, store_folder


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
