"""The sections of a run's file as pydantic models, made from `jaragua.settings`: they check every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, create_model

from jaragua.config.store_url import parse_store_url
from jaragua.errors import BrokerError, StoreError, UsageError
from jaragua.node.connection.url import parse_broker_url
from jaragua.semantics.matching.conditions import parse
from jaragua.settings import MOST, SECTIONS, Key, RunConfig, keys_of

#: Types that TOML has no values of, or that a file may write in another way.
_CONVERTED: Final = ("run.directory", "strategy.options", "devices.exclude", "simulation.checkpoints")


class Section(BaseModel):
    """A table of the file: no unknown keys, no silent conversions."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _check_url(url: str) -> str:
    try:
        parse_broker_url(url)
    except BrokerError as error:
        raise ValueError(f"{error.message}: {error.hint}") from error
    return url


def _check_store(url: str) -> str:
    try:
        if url:
            parse_store_url(url)
    except StoreError as error:
        raise ValueError(f"{error.message}: {error.hint}") from error
    return url


def _check_match(text: str) -> str:
    try:
        parse(text)
    except UsageError as error:
        raise ValueError(f"{error.message} ({error.hint})") from error
    return text


def _type_of(key: Key) -> Any:
    """The type of a key with its checks."""
    pattern = key.setting.pattern
    if key.path == "broker.url":
        return Annotated[str, AfterValidator(_check_url)]
    if key.path == "store.url":
        return Annotated[str, AfterValidator(_check_store)]
    if key.path == "devices.match":
        return Annotated[str, AfterValidator(_check_match)]
    if key.type == tuple[int, ...]:
        return tuple[Annotated[int, Field(strict=True, ge=1, le=MOST)], ...]
    if key.type == tuple[str, ...]:
        return tuple[Annotated[str, StringConstraints(pattern=pattern)], ...]
    return Annotated[str, StringConstraints(pattern=pattern)] if pattern else key.type


def _field_of(key: Key) -> Any:
    setting, checks = key.setting, dict[str, Any]()
    if key.type in (int, float):
        checks |= {"ge": setting.least, "le": setting.most, "gt": setting.above, "lt": setting.below}
    if key.type is float:
        checks["allow_inf_nan"] = False
    if key.path in _CONVERTED:
        checks["strict"] = False
    needed = key.is_filled_in or key.default is MISSING
    return Field(... if needed else key.default, description=setting.help, **checks)


def _model(section: str) -> type[Section]:
    keys: dict[str, Any] = {name: (_type_of(key), _field_of(key)) for name, key in keys_of(section).items()}
    return create_model(f"{section.capitalize()}Section", __base__=Section, **keys)


_MODELS: Final[dict[str, type[Section]]] = {section: _model(section) for section in SECTIONS}
_WHOLE: Final[type[Section]] = create_model("Run", __base__=Section, **{n: (m, ...) for n, m in _MODELS.items()})  # type: ignore[call-overload]


def validated(filled: Mapping[str, Any]) -> RunConfig:
    """The configuration of a document with every default filled in. Raises: pydantic.ValidationError."""
    found = _WHOLE.model_validate({name: filled[name] for name in SECTIONS})
    sections = {name: getattr(found, name) for name in SECTIONS}
    return RunConfig(
        **{
            name: kind(**{key: getattr(sections[name], key) for key in keys_of(name)})
            for name, kind in SECTIONS.items()
        }
    )


def as_json(config: RunConfig) -> dict[str, dict[str, Any]]:
    """Section by section as JSON and TOML values."""
    return {name: {key: _plain(getattr(getattr(config, name), key)) for key in keys_of(name)} for name in SECTIONS}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, dict | bool | int | float | str) or value is None else str(value)
