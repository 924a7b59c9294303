"""What may know what: a study no view, and a page no renderer."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "barred"),
    [
        ("cascadesim.studies.*", ("cascadesim.views", "rich", "markupsafe")),
        ("cascadesim.views.page", ("cascadesim.studies", "rich", "pandas", "pydantic")),
        ("cascadesim.values.words", ("cascadesim.studies", "rich", "pandas", "pydantic", "numpy")),
        ("cascadesim.views.terminal", ("cascadesim.studies", "pandas", "markupsafe")),
        ("cascadesim.views.html", ("cascadesim.studies", "pandas", "rich")),
        ("cascadesim.views.markdown", ("cascadesim.studies", "pandas", "rich", "markupsafe")),
    ],
)
def test_modules_load_nothing_from_beyond_their_border(
    modules: str, barred: tuple[str, ...]
) -> None:
    code = (
        "import pkgutil, sys; from importlib import import_module\n"
        "package, _, every = sys.argv[1].partition('.*')\n"
        "module = import_module(package)\n"
        "names = [each.name for each in pkgutil.iter_modules(getattr(module, '__path__', []))]\n"
        "for name in names: import_module(f'{package}.{name}')\n"
        "barred = tuple(f'{each}.' for each in sys.argv[2:])\n"
        "print([each for each in sys.modules if f'{each}.'.startswith(barred)])"
    )
    command = [sys.executable, "-c", code, modules, *barred]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
