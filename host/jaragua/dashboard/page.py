"""The page of the dashboard in NiceGUI: every text is set as text, so that nothing a peer says becomes markup."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from jaragua.dashboard.content import (
    ADAPTATION_COLUMNS,
    CLASS_COLUMNS,
    DESCRIPTION_COLUMNS,
    DEVICE_COLUMNS,
    LEARNING_COLUMNS,
    REFUSED_COLUMNS,
    ROUND_COLUMNS,
    Grid,
    Snapshot,
)
from jaragua.report.page.charts import Line

_REFRESH_SECONDS: Final = 1.0
_ROWS: Final = 15
#: Texts of numbers have separators and units.
_BY_NUMBER: Final = "(a, b) => (parseFloat(a.replace(/,/g, '')) || 0) - (parseFloat(b.replace(/,/g, '')) || 0)"
_COLOURS: Final = {"loss": "#00897b", "score": "#b8500d"}

Look = Callable[[], Snapshot]


def build(title: str, look: Look) -> None:
    """Make the page of one visitor; it looks again every second. title: of the window and the page."""
    ui.add_css(files("jaragua.dashboard").joinpath("style.css").read_text(encoding="utf-8"))
    ui.dark_mode(None)
    ui.link("Skip to the content", "#main").classes("skip")
    with ui.element("main").props('id="main"'):
        _Text("h1", title)
        status = _Text("p", "").props('role="status" aria-live="polite"')
        notes = ui.element("div")
        figures = ui.element("dl").classes("figures")
        _Text("h2", "Learning curves")
        with ui.element("div").classes("charts"):
            charts = {name: _chart(name) for name in ("loss", "score")}
        grids = _grids()
    page = _Page(look, status, notes, figures, charts, grids)
    page.refresh()
    ui.timer(_REFRESH_SECONDS, page.refresh)


def _grids() -> dict[str, _Grid]:
    return {
        "devices": _Grid("Devices", DEVICE_COLUMNS),
        "learning": _Grid("What each device can learn", LEARNING_COLUMNS),
        "descriptions": _Grid("Descriptions that are refused", DESCRIPTION_COLUMNS),
        "adaptation": _Grid("Adaptation of each device: before and after", ADAPTATION_COLUMNS),
        "refused": _Grid("Updates that did not count", REFUSED_COLUMNS),
        "rounds": _Grid("Rounds, newest first", ROUND_COLUMNS),
        "classes": _Grid("Classes and prototypes", CLASS_COLUMNS),
    }


class _Text(TextElement):
    """An element with one text."""

    def __init__(self, tag: str, words: str) -> None:
        content = {"text": words}
        super().__init__(tag=tag, **content)


class _Grid:
    """A heading, a table, and a sentence while it is empty."""

    def __init__(self, title: str, columns: tuple[tuple[str, str, bool], ...]) -> None:
        self._title = _Text("h2", title)
        self._empty = _Text("p", "")
        described = [
            {"name": key, "label": label, "field": key, "align": "right" if is_number else "left"}
            | ({"sortable": True, ":sort": _BY_NUMBER} if is_number else {"sortable": True})
            for key, label, is_number in columns
        ]
        self._keys = [key for key, _, _ in columns]
        self._table = ui.table(columns=described, rows=[], row_key="row", pagination=_ROWS).classes("w-full")
        self._table.props(f'flat dense wrap-cells aria-label="{title}"')
        self._shown: Grid | None = None

    def show(self, grid: Grid) -> None:
        """Show these rows, if they are others."""
        if grid == self._shown:
            return
        self._shown = grid
        named = [dict(zip(self._keys, line, strict=True)) for line in grid.rows]
        self._table.rows = [{"row": place, **line} for place, line in enumerate(named)]
        self._table.set_visibility(bool(grid.rows))
        self._empty.set_text("" if grid.rows and "prototypes" not in grid.empty else grid.empty)


class _Page:
    """What one visitor sees."""

    def __init__(
        self, look: Look, status: _Text, notes: Any, figures: Any, charts: dict[str, Any], grids: dict[str, _Grid]
    ) -> None:
        self._look, self._status, self._notes, self._figures = look, status, notes, figures
        self._charts, self._grids = charts, grids
        self._shown: Snapshot | None = None

    def refresh(self) -> None:
        """Look, and show what has changed."""
        now, before = self._look(), self._shown
        if now == before:
            return
        self._shown = now
        if before is None or now.status != before.status:
            self._status.set_text(now.status)
        if before is None or now.notes != before.notes:
            _fill(self._notes, lambda: [_Text("p", note) for note in now.notes])
        if before is None or now.figures != before.figures:
            _fill(self._figures, lambda: _show_figures(now))
        for name, line in (("loss", now.loss), ("score", now.score)):
            if before is None or line != getattr(before, name):
                _draw(self._charts[name], line, name if name == "loss" else now.metric or name)
        for name, grid in self._grids.items():
            grid.show(getattr(now, name))


def _fill(place: Any, fill: Callable[[], object]) -> None:
    place.clear()
    with place:
        fill()


def _show_figures(now: Snapshot) -> None:
    for label, value in now.figures:
        with ui.element("div"):
            _Text("dt", label)
            _Text("dd", value)


def _chart(name: str) -> Any:
    return ui.echart(_options(name, Line(name, (), ())), renderer="svg").classes("w-full h-64").props('role="img"')


def _draw(chart: Any, line: Line, title: str) -> None:
    chart.options.clear()
    chart.options.update(_options(title, line))
    chart.props["aria-label"] = _in_words(title, line)
    chart.update()


def _in_words(title: str, line: Line) -> str:
    if not line.y:
        return f"{title} by round: nothing yet."
    last = f"{line.y[-1]:.4g}"
    return f"{title} by round: {line.y[0]:.4g} in round {line.x[0]:g}, {last} in round {line.x[-1]:g}."


def _options(title: str, line: Line) -> dict[str, Any]:
    """A curve with its interval as a band: the band is stacked on its lower edge."""
    colour = _COLOURS["loss" if title == "loss" else "score"]
    grey = "#808080"
    series: list[dict[str, Any]] = []
    if line.low:
        low = [[x, y] for x, y in zip(line.x, line.low, strict=True)]
        width = [[x, high - y] for x, y, high in zip(line.x, line.low, line.high, strict=True)]
        plain = {"type": "line", "stack": "band", "symbol": "none", "lineStyle": {"opacity": 0}, "silent": True}
        series += [{**plain, "data": low}, {**plain, "data": width, "areaStyle": {"color": colour, "opacity": 0.2}}]
    points = [[x, y] for x, y in zip(line.x, line.y, strict=True)]
    shown = {"color": colour, "width": 2}
    series.append({"type": "line", "data": points, "lineStyle": shown, "itemStyle": {"color": colour}, "symbolSize": 4})
    axis = {
        "axisLabel": {"color": grey},
        "nameTextStyle": {"color": grey},
        "splitLine": {"lineStyle": {"opacity": 0.3}},
    }
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": _in_words(title, line)}},
        "title": {"text": f"{title} by round", "textStyle": {"fontSize": 14, "color": grey}},
        "grid": {"left": 56, "right": 16, "top": 40, "bottom": 44},
        "xAxis": {"type": "value", "name": "round", "nameLocation": "middle", "nameGap": 28, "min": "dataMin", **axis},
        "yAxis": {"type": "value", "scale": True, **axis},
        "series": series,
    }
