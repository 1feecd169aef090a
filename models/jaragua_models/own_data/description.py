"""What the TOML file of a task says, checked key by key; a problem is named with file, section and key."""

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_args

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.frontends.naming import identifier
from jaragua_compiler.graph.network import NAME_HINT, is_name
from jaragua_models.base import Defaults
from jaragua_models.errors import ModelError
from jaragua_models.keywords.features import FrontEnd, Loudness, Pooling
from jaragua_models.keywords.features import Kind as Sound

Kind: TypeAlias = Literal["table", "audio", "images"]
Naming: TypeAlias = Literal["fixed", "shuffled"]
Windows: TypeAlias = Literal["statistics", "raw"]
T = TypeVar("T")

START = Defaults(
    learning_rate=0.02,
    ways=0,
    shots=5,
    passes=16,
    queries=0,
    clients=5,
    alpha=1.0,
    rounds=300,
    training_passes=4,
)
"""Where [defaults] is silent; 0 ways and queries: see `Description`."""

SOUND = FrontEnd(loudness="normalised", pooling="word", features="mfcc")
"""What recordings become where [task] is silent (F9 to F13)."""

_KEYS: Mapping[Kind, frozenset[str]] = {
    "table": frozenset(
        {"label", "device", "features", "classes", "held_out", "naming", "time", "window", "hop", "windows"}
    ),
    "audio": frozenset({"classes", "held_out", "naming", "loudness", "pooling", "features"}),
    "images": frozenset({"side", "channels", "dark_on_light", "held_out"}),
}
_COMMON = frozenset({"name", "summary", "kind", "path"})
_SECTIONS = frozenset({"task", "network", "defaults", "scaling"})
_DEFAULTS = frozenset(START.__dataclass_fields__)
_MAY_BE_ZERO = frozenset({"refine_passes", "episode_queries", "adapt_by_steps"})
"""Defaults of which 0 means none, and not that the model says nothing."""
MOST_ROWS = 4096
SCALING_HINT = "Write NAME = { offset = 4.1, scale = 5.2 }; `jaragua data TASK.toml --scaling` prints all of it."
_MOST: Mapping[str, float] = dict.fromkeys(_DEFAULTS, 1e9) | {
    "alpha": 1.0,
    "learning_rate": math.nextafter(1.0, 0),
    "adapt_learning_rate": math.nextafter(1.0, 0),
    "temperature": math.nextafter(1.0, 0),
}
"""Of a default: what a step and a rate can be (docs/reference/configuration.md), and a count that nobody means."""


@dataclass(frozen=True)
class Description:
    """A task as its TOML file describes it. Empty tuples: as docs/reference/own-data.md says.

    path: absolute; None: this copy of a table's file has no rows (N5).
    """

    name: str
    summary: str
    kind: Kind
    path: Path | None
    label: str = ""
    device: str = ""
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    naming: Naming = "fixed"
    time: tuple[str, ...] | None = None
    """Columns that tell when a row was measured; (): rows have no order; None: nobody said."""
    window: int = 0
    """Rows of a sample; 0: each row is one."""
    hop: int = 0
    """Rows from one window to the next; 0: a window's length."""
    windows: Windows = "statistics"
    scaling: InputFormat | None = None
    sound: FrontEnd = SOUND
    side: int = 28
    channels: int = 1
    dark_on_light: bool = True
    hidden: tuple[int, ...] | Literal["metric"] = (32,)
    """Units of dense layers with ReLU, or one linear square layer, the identity at first (A2.8)."""
    filters: tuple[int, ...] = (8, 16)
    defaults: Mapping[str, float] = field(default_factory=dict)
    strategy: str = ""
    """As [defaults] names it; "": it names none."""
    file: Path = Path()

    @property
    def origin(self) -> Path:
        """For messages: the data, or without them the TOML file."""
        return self.path or self.file


def read(path: Path) -> Description:
    """The description in a file. Raises: ModelError."""
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: cannot be read: it is not UTF-8 text.", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{path}: it is not TOML: {error}.", "Correct the line that is named.") from error
    return _Reader(path, document).description()


class _Reader:
    """Takes values out of one document; `place` in messages is "<file>: [section] key"."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self._path = path
        self._document = document

    def description(self) -> Description:
        self._only("", set(self._document), _SECTIONS)
        kind = self._kind()
        if kind != "table" and self._keys("scaling"):
            raise self._error("scaling", "", f"there is nothing to scale in {kind}", "Take the section out.")
        self._only("task", self._keys("task"), _COMMON | _KEYS[kind])
        self._only("network", self._keys("network"), frozenset({"filters"} if kind == "images" else {"hidden"}))
        self._only("defaults", self._keys("defaults"), _DEFAULTS)
        name, data = self._name(), self._data(kind)
        return Description(
            name=name,
            summary=self._take("task", "summary", str, f"own data: {name}"),
            kind=kind,
            path=data,
            file=self._path,
            label=self._take("task", "label", str, None if kind == "table" else ""),
            device=self._take("task", "device", str, None if kind == "table" else ""),
            features=self._several("features", str) if kind == "table" else (),
            classes=self._several("classes", str),
            held_out=self._several("held_out", str),
            naming=self._naming(kind),
            time=self._time(),
            window=self._count("window", 2, MOST_ROWS),
            hop=self._count("hop", 1, MOST_ROWS),
            windows=self._windows(),
            scaling=self._scaling(),
            sound=self._sound() if kind == "audio" else SOUND,
            side=self._side(),
            channels=self._channels(),
            dark_on_light=self._take("task", "dark_on_light", bool, self._channels() == 1),
            hidden=self._hidden(),
            filters=self._several("filters", int, (8, 16), "network"),
            defaults=self._defaults(),
            strategy=self._take("defaults", "strategy", str, ""),
        )

    def _hidden(self) -> tuple[int, ...] | Literal["metric"]:
        found = self._section("network").get("hidden")
        if found == "metric":
            return "metric"
        if isinstance(found, str):
            raise self._error("network", "hidden", f"{found!r} is none", 'Write hidden = [32], [] or "metric".')
        return self._several("hidden", int, (32,), "network")

    def _name(self) -> str:
        """As given; without it as the file is called, made fit. It is the name of the network, too."""
        if "name" not in self._keys("task"):
            return identifier(self._path.stem)
        name = self._take("task", "name", str)
        if not is_name(name):
            raise self._error("task", "name", f"{name!r} is not an identifier", NAME_HINT)
        return name

    def _data(self, kind: Kind) -> Path | None:
        if kind == "table" and "path" not in self._keys("task"):
            return None
        path = self._take("task", "path", str)
        if not path or "\0" in path:
            raise self._error("task", "path", f"{path!r} is none", "Name the table or the folder of your data.")
        return self._path.parent.absolute() / path

    def _kind(self) -> Kind:
        kind = self._take("task", "kind", str)
        if kind not in get_args(Kind):
            raise self._error("task", "kind", f"{kind!r} is none", f"Use one of: {', '.join(get_args(Kind))}.")
        return cast(Kind, kind)

    def _naming(self, kind: Kind) -> Naming:
        return cast(Naming, self._one_of("naming", get_args(Naming), "shuffled" if kind == "images" else "fixed"))

    def _sound(self) -> FrontEnd:
        """F9 to F13."""
        return FrontEnd(
            cast(Loudness, self._one_of("loudness", get_args(Loudness), SOUND.loudness)),
            cast(Pooling, self._one_of("pooling", get_args(Pooling), SOUND.pooling)),
            cast(Sound, self._one_of("features", get_args(Sound), SOUND.features)),
        )

    def _one_of(self, key: str, known: Sequence[str], default: str) -> str:
        """A word of [task]."""
        word = self._take("task", key, str, default)
        if word not in known:
            raise self._error("task", key, f"{word!r} is none", f"Use one of: {', '.join(known)}.")
        return word

    def _time(self) -> tuple[str, ...] | None:
        """The name of a column, or a list of names."""
        if "time" not in self._keys("task"):
            return None
        value = self._section("task")["time"]
        return (value,) if isinstance(value, str) else self._several("time", str)

    def _windows(self) -> Windows:
        windows = self._one_of("windows", get_args(Windows), "statistics")
        if "window" not in self._keys("task"):
            for key in {"hop", "windows"} & self._keys("task"):
                raise self._error("task", key, "there are no windows", "Say how many rows one has: window = 50.")
        return cast(Windows, windows)

    def _count(self, key: str, least: int, most: int) -> int:
        """A number of rows; 0 if it is not given."""
        count = self._take("task", key, int, 0)
        if key in self._keys("task") and not least <= count <= most:
            raise self._error("task", key, f"{count} rows", f"Give {least} to {most} rows.")
        return count

    def _scaling(self) -> InputFormat | None:
        """[scaling]: of each column its offset and scale, and how it becomes an integer (compile.md, I1)."""
        section = self._section("scaling")
        if not section:
            return None
        columns = []
        for name, told in section.items():
            if not isinstance(told, dict):
                raise self._error("scaling", name, f"{told!r} is no scaling", SCALING_HINT)
            columns.append({"per_unit": 1.0, "wide": False, **told, "name": name})
        try:
            return InputFormat.from_facts({"columns": columns})
        except CompileError as error:
            raise ModelError(f"{self._path}: [scaling]: {error.message}", SCALING_HINT) from error

    def _channels(self) -> int:
        channels = self._take("task", "channels", int, 1)
        if channels not in (1, 3):
            raise self._error("task", "channels", f"{channels} channels", "Give 1 (grey) or 3 (red, green and blue).")
        return channels

    def _side(self) -> int:
        side = self._take("task", "side", int, 28)
        if not 4 <= side <= 128:
            raise self._error("task", "side", f"{side} pixels", "Give 4 to 128 pixels.")
        return side

    def _defaults(self) -> dict[str, float]:
        found = {}
        for key in self._keys("defaults") - {"strategy"}:
            kind: type[float] = type(getattr(START, key))
            value = self._section("defaults")[key]
            found[key] = self._take("defaults", key, int if kind is int or isinstance(value, int) else float)
            may_be_zero = key in _MAY_BE_ZERO
            if isinstance(value, bool) or found[key] < 0 or not (found[key] or may_be_zero):
                least = "0 or more" if may_be_zero else "above 0"
                raise self._error("defaults", key, f"{value!r} is not {least}", f"Give a number, {least}.")
            if not found[key] <= _MOST[key]:
                raise self._error("defaults", key, f"{value!r} is too large", f"Give at most {_MOST[key]:g}.")
        return found

    def _several(self, key: str, kind: type[T], default: tuple[T, ...] = (), section: str = "task") -> tuple[T, ...]:
        values = self._take(section, key, list, list(default))
        if not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
            raise self._error(
                section, key, f"{values!r} is not a list of {_said(kind)}", f"Write {key} = [{_like(kind)}]."
            )
        return tuple(values)

    def _take(self, section: str, key: str, kind: type[T], default: T | None = None) -> T:
        value = self._section(section).get(key, default)
        if value is None:
            raise self._error(section, key, "it is missing", f"Add {key} = {_like(kind)} under [{section}].")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._error(section, key, f"{value!r} is not {_said(kind)}", f"Write {key} = {_like(kind)}.")
        return value

    def _section(self, name: str) -> dict[str, Any]:
        section = self._document.get(name, {})
        if not isinstance(section, dict):
            raise ModelError(f"{self._path}: {name} is not a section.", f"Write [{name}] on a line of its own.")
        return section

    def _keys(self, section: str) -> set[str]:
        return set(self._section(section))

    def _only(self, section: str, keys: set[str], known: frozenset[str]) -> None:
        for key in sorted(keys - known):
            matches = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {matches[0]!r}? " if matches else ""
            problem = "nothing of that name belongs here" if section else "there is no such section"
            raise self._error(
                section or key, key if section else "", problem, f"{hint}Known: {', '.join(sorted(known))}."
            )

    def _error(self, section: str, key: str, problem: str, hint: str) -> ModelError:
        return ModelError(f"{self._path}: [{section}] {key}".rstrip() + f": {problem}.", hint)


def _said(kind: type[Any]) -> str:
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list"}[kind]


def _like(kind: type[Any]) -> str:
    return {str: '"..."', int: "5", float: "0.5", bool: "true", list: "[...]"}[kind]
