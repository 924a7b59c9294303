"""Explorer: sliders for the settings of a scenario, and what other values would have done.

What is shown follows the sliders: once they rest, the scenario runs again, with the same seed.
"""

from __future__ import annotations

import asyncio
import base64
import shlex
import sys
from html import escape
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cascadesim.scenario.load import Scenario
from cascadesim.scenario.source import flow
from cascadesim.studies.compare import Comparison, side_by_side
from cascadesim.studies.positions import Positions, chosen, positions
from cascadesim.studies.run import Result, run
from cascadesim.values.errors import ScenarioError, cut, one_line, show
from cascadesim.views.brief import in_columns
from cascadesim.views.compare import difference, figures_of, title_of
from cascadesim.views.facts import amount
from cascadesim.views.html import page_html
from cascadesim.views.page import Page, blocks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from matplotlib.axes import Axes

    from cascadesim.scenario.vary import Vary
    from cascadesim.views.page import Cell

DELAY = 0.2  # seconds that the sliders rest before the scenario runs
TODAY, NOW = "today", "now"
_LONGEST = 60  # characters of a dotted path beside its slider
_DPI = 120  # of figures
_WIDE = {"width": "100%", "max_width": "60em"}


def explore(scenario: Scenario, *vary: Vary | str, seed: int | None = None) -> Explorer:
    """Return sliders for settings, in a notebook; the last expression of a cell shows them.

    What to `vary` is as for a sweep: "agent.deadline.timeout=1s..60s", "agent.concurrency=5,10"
    (see `parse_vary`). Without any it is what the scenario's `sweep` varies, or else what its
    variants change. Raises ScenarioError for what cannot be varied, outside of a notebook, and
    where ipywidgets is not installed.
    """
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        message = "needs a Jupyter notebook for its sliders; elsewhere, use cascadesim.sweep"
        raise ScenarioError(message, "cascadesim.explore")
    if not isinstance(scenario, Scenario):
        message = "expected a scenario, such as cascadesim.load gives"
        raise ScenarioError(message, f"cascadesim.explore: {show(scenario)}")
    return Explorer(scenario, *vary, seed=seed)


class Latest:
    """Hands the last of several values to `work`: once none has come for a while, one at a time.

    It takes between one and two delays, as a move in the meantime starts the wait again. Values
    that come while the work is under way wait for it to end, and all but the last are dropped.
    """

    def __init__(
        self,
        work: Callable[[Any], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._work = work
        self._sleep = sleep
        self._values: list[Any] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, value: Any) -> None:
        """Take a value, in a running event loop."""
        self._values.append(value)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._settle())

    async def settled(self) -> None:
        """Wait until the work on the last value has ended."""
        if self._task is not None:
            await self._task

    async def _settle(self) -> None:
        while self._values:
            seen = len(self._values)
            await self._sleep(DELAY)
            if len(self._values) == seen:
                value = self._values[-1]
                self._values.clear()
                await self._work(value)


class _Superseded(Exception):  # noqa: N818 - no error
    """The sliders have moved on while a run was under way."""


class Explorer:
    """Sliders, and the figures of the scenario today and with what they say.

    `sliders` are by dotted path; `result` and `comparison` are what is shown. `widget` is all of
    it, for a layout of one's own. Raises ScenarioError as `explore` does.
    """

    def __init__(self, scenario: Scenario, *vary: Vary | str, seed: int | None = None) -> None:
        self._widgets = _import_widgets()
        self._scenario = scenario
        self._seed = seed
        self._positions = [positions(scenario, choice) for choice in chosen(scenario, vary)]
        self._today = run(scenario, seed)
        self._latest = Latest(self._update)
        self.sliders = {slid.path: self._slider(slid) for slid in self._positions}
        self._status, self._table, self._figures = (self._widgets.HTML() for _ in range(3))
        self._variant = self._text("as a variant", 2 + len(self._positions))
        self._options = self._text("as options", 2)
        self.widget = self._widgets.VBox(
            [
                *map(self._row, self._positions),
                self._back(),
                *(self._status, self._table, self._figures),
                *(self._variant, self._options),
            ]
        )
        self._wanted = self._write_settings()
        self._show(self._look(self._wanted))
        self._figures.value = _drawn(self.comparison)

    @property
    def result(self) -> Result:
        """Return the run that is shown."""
        return self.comparison.results[NOW]

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings of the sliders that are not today's, by dotted path, as written."""
        return {
            slid.path: slid.values[self.sliders[slid.path].value]
            for slid in self._positions
            if self.sliders[slid.path].value != slid.today
        }

    def back(self) -> None:
        """Put every slider back to today's value."""
        for slid in self._positions:
            self.sliders[slid.path].value = slid.today

    async def settled(self) -> None:
        """Wait until what is shown is what the sliders say."""
        await self._latest.settled()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = self.widget._repr_mimebundle_(**options)
        return dict(bundle) | {"text/plain": repr(self)}

    def __repr__(self) -> str:
        """Return what is shown, as text."""
        return self.error or repr(self.comparison)

    def _slider(self, slid: Positions) -> Any:
        slider = self._widgets.SelectionSlider(
            options=[(label, i) for i, label in enumerate(slid.labels)],
            value=slid.today,
            description=cut(one_line(slid.path), _LONGEST),
            readout=False,
            style={"description_width": "24em"},
            layout={"flex": "1 1 auto"},
        )
        slider.observe(lambda _: self._moved(), "value")
        return slider

    def _row(self, slid: Positions) -> Any:
        """Return a slider, and beside it where it is and where it is today."""
        slider = self.sliders[slid.path]
        mark = self._widgets.Label(slid.marked(slid.today), layout={"width": "14em"})
        slider.observe(lambda change: mark.set_trait("value", slid.marked(change.new)), "value")
        return self._widgets.HBox([slider, mark], layout=_WIDE)

    def _back(self) -> Any:
        button = self._widgets.Button(description="back to today")
        button.on_click(lambda _: self.back())
        return button

    def _text(self, description: str, rows: int) -> Any:
        return self._widgets.Textarea(
            description=description,
            rows=rows,
            style={"description_width": "8em"},
            layout=_WIDE,
        )

    def _moved(self) -> None:
        self._wanted = self._write_settings()
        self._status.value = '<p role="status">simulating …</p>'
        self._latest.put(self._wanted)

    def _write_settings(self) -> dict[str, Any]:
        """Return the settings, written out to be copied."""
        settings = self.settings
        self._variant.value, self._options.value = _as_variant(settings), _as_options(settings)
        return settings

    async def _update(self, settings: dict[str, Any]) -> None:
        # In threads, so that the notebook goes on meanwhile, and sliders can move.
        try:
            self._show(await asyncio.to_thread(self._look, settings))
            if settings is self._wanted:
                self._figures.value = await asyncio.to_thread(_drawn, self.comparison)
        except _Superseded:
            return
        except Exception as error:  # the traceback of a task goes unseen
            known = isinstance(error, ScenarioError)
            self.error = str(error) if known else f"{type(error).__name__}: {one_line(str(error))}"
            self._status.value = f'<p role="alert">{escape(self.error)}</p>'
            self._table.value = self._figures.value = ""

    def _look(self, settings: dict[str, Any]) -> Comparison:
        """Return a run with settings, beside today's."""

        def progress(_: float) -> None:
            if settings is not self._wanted:
                raise _Superseded

        if not settings:
            return self._beside_today(self._today)
        scenario = self._scenario.override(settings, "cascadesim.explore")
        return self._beside_today(run(scenario, self._seed, progress))

    def _show(self, comparison: Comparison) -> None:
        self.comparison, self.error = comparison, ""
        self._status.value = ""
        self._table.value = _table(comparison)

    def _beside_today(self, result: Result) -> Comparison:
        return side_by_side({TODAY: self._today, NOW: result})


def _table(comparison: Comparison) -> str:
    """Return today's figures beside those of now, and their differences, as HTML."""
    columns = {**figures_of(comparison), "difference": _differences(comparison)}
    shown = page_html(Page(title_of(comparison), blocks(in_columns(columns, comparison.results))))
    # By these classes notebooks set tables in their own style, also those in a widget.
    return f'<div class="jp-RenderedHTMLCommon rendered_html">{shown}</div>'


def _differences(comparison: Comparison) -> dict[str, Cell]:
    today, now = (comparison.results[label].summary for label in (TODAY, NOW))
    rows = {name: difference(contrast) for name, contrast in comparison.differences[NOW].items()}
    rows["goodput /s"] = amount("goodput", now.goodput - today.goodput, "+")
    rows["error rate"] = amount("error_rate", now.error_rate - today.error_rate, "+")
    return rows


def _drawn(comparison: Comparison) -> str:
    """Return the figures as HTML, or in their place why there are none."""
    from cascadesim.plots.dumbbell import dumbbell
    from cascadesim.plots.latency import latency  # matplotlib is slow to import

    try:
        return _image(
            dumbbell(comparison), "latency percentiles, today and now, as in the table"
        ) + _image(latency(comparison.results[NOW]), "latency of each request now, over time")
    except ScenarioError as error:
        return f"<p>{escape(str(error))}</p>"


def _image(ax: Axes, alt: str) -> str:
    file = BytesIO()
    ax.get_figure(root=True).savefig(file, format="png", dpi=_DPI)  # type: ignore[union-attr]
    content = base64.b64encode(file.getvalue()).decode()
    style = "width: 100%; max-width: 60em; background: white"
    return f'<img alt="{escape(alt)}" style="{style}" src="data:image/png;base64,{content}">'


def _as_variant(settings: Mapping[str, Any]) -> str:
    """Return settings as an entry of a scenario's variants."""
    lines = [f"    {path}: {flow(value)}\n" for path, value in settings.items()]
    return "variants:\n  explored:\n" + "".join(lines) if lines else "variants:\n  explored: {}\n"


def _as_options(settings: Mapping[str, Any]) -> str:
    """Return settings as options of a command."""
    return " ".join(
        f"--set {shlex.quote(f'{path}={flow(value)}')}" for path, value in settings.items()
    )


def _import_widgets() -> Any:
    try:
        return import_module("ipywidgets")  # optional
    except ImportError:
        message = "needs ipywidgets; install it by: pip install 'cascadesim[notebook]'"
        raise ScenarioError(message, "cascadesim.explore") from None
