"""Which checks belong to which role, and which of them the role cannot do without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from jaragua import folders
from jaragua.doctor import links, runtimes, tools
from jaragua.doctor.check import Check
from jaragua.doctor.places import check_folder
from jaragua.doctor.stores import check_store
from jaragua.emulate.project import clone_folder, project_folder
from jaragua.errors import StoreError, ToolError
from jaragua.node.connection.access import Access
from jaragua.store import PostgresAddress


class Role(StrEnum):
    """What a machine is to be in a fleet; `flash`: builds images and puts them on boards; `any`: notes on all of it."""

    CLIENT = "client"
    GATEWAY = "gateway"
    COORDINATOR = "coordinator"
    FLASH = "flash"
    DEMO = "demo"
    ANY = "any"


@dataclass(frozen=True)
class Wanted:
    """What the user said. None: what the programs take by default; no broker: one is not required to run."""

    broker: Access | None = None
    data_dir: Path | None = None
    run_dir: Path | None = None
    store: PostgresAddress | None = None


def default_role(here: Path | None = None) -> Role:
    """In a clone, whose set-up installs it, the demonstration; an installed package (here: its file) may be any."""
    return Role.DEMO if clone_folder(here) else Role.ANY


def checks_of(role: Role, wanted: Wanted) -> Iterator[Check]:
    """Look at everything of a role, one after the other."""
    match role:
        case Role.CLIENT:
            yield from _of_node(wanted)
            yield from _of_engines()
        case Role.GATEWAY:
            yield from _of_node(wanted)
            yield links.check_rights(needed=True)
            yield links.check_ports()
        case Role.COORDINATOR:
            yield runtimes.check_packages()
            yield runtimes.check_trust()
            yield from _of_broker(wanted)
            yield from _of_runs(wanted)
        case Role.FLASH:
            yield from _of_builds()
            yield links.check_rights(needed=True)
            yield links.check_ports()
        case Role.DEMO:
            yield from _of_demo()
        case Role.ANY:
            yield from _of_any(wanted)


def _of_node(wanted: Wanted) -> Iterator[Check]:
    yield runtimes.check_packages()
    yield runtimes.check_trust()
    yield from _of_broker(wanted)
    yield _outbox(wanted)


def _of_broker(wanted: Wanted) -> Iterator[Check]:
    yield links.check_broker(wanted.broker)
    if wanted.broker is not None:
        yield from links.check_certificates(wanted.broker)


def _of_engines() -> Iterator[Check]:
    """A client needs one engine of the two: the boards' C, built here and loaded from the cache, or LiteRT."""
    native = (tools.check_compiler(needed=True), _cache())
    litert = runtimes.check_litert(needed=True)
    has_native = all(one.ok for one in native)
    for one in native:
        yield replace(one, needed=not litert.ok)
    yield replace(litert, needed=not has_native)


def _of_runs(wanted: Wanted) -> Iterator[Check]:
    folder = wanted.run_dir or Path("runs").absolute()
    yield check_folder("run folder", "keeps runs", folder, "give run.directory in the run's file another folder")
    yield check_store(wanted.store)
    yield tools.check_tool(tools.BROKER, needed=False)  # one on another machine will do
    yield runtimes.check_pages()


def _of_demo() -> Iterator[Check]:
    yield from needed_by_demo()
    for tool in tools.FOR_OTHER_BOARDS:
        yield tools.check_tool(tool, needed=False)
    yield links.check_ports()
    yield links.check_rights(needed=False)


def needed_by_demo() -> Iterator[Check]:
    """What the demonstration cannot do without."""
    yield from _of_builds()
    for tool in (tools.EMULATOR, tools.BROKER):
        yield tools.check_tool(tool, needed=True)
    yield tools.check_compiler(needed=True)
    yield _cache()


def _of_builds() -> Iterator[Check]:
    """What an image is built with."""
    yield _sources()
    yield tools.check_tool(tools.CROSS_COMPILER, needed=True)
    yield tools.check_newlib(needed=True)
    yield runtimes.check_builders(needed=True)


def _of_any(wanted: Wanted) -> Iterator[Check]:
    """What one role needs and another does not is worth a note."""
    yield runtimes.check_packages()
    yield runtimes.check_trust()
    yield from _of_broker(wanted)
    others = [_outbox(wanted), *_of_engines(), links.check_rights(needed=False), links.check_ports(), *_of_runs(wanted)]
    seen = {one.name for one in others}
    others += [one for one in needed_by_demo() if one.name not in seen]
    yield from (replace(one, needed=one.needed and one.name == "store") for one in others)


def _sources() -> Check:
    """Asking copies them to the cache in an installed package, so an error of the cache is found here, too."""
    try:
        return Check("sources", "are built into images", True, True, str(project_folder()), "install the package again")
    except (ToolError, StoreError) as error:
        return Check("sources", "are built into images", False, True, error.message, error.hint)


def _outbox(wanted: Wanted) -> Check:
    mend = "give another folder with --data-dir, or set XDG_STATE_HOME"
    return _folder_of("outbox", "keeps updates until they are acknowledged", wanted.data_dir, mend)


def _folder_of(name: str, purpose: str, folder: Path | None, mend: str) -> Check:
    try:
        return check_folder(name, purpose, folder or folders.state_folder(), mend)
    except StoreError as error:
        return Check(name, purpose, False, True, error.message, error.hint)


def _cache() -> Check:
    purpose = "keeps built engines"
    try:
        folder = folders.cache_folder()
    except StoreError as error:
        return Check("cache", purpose, False, True, error.message, error.hint)
    return check_folder("cache", purpose, folder, "set XDG_CACHE_HOME to another folder", is_run_from=True)
