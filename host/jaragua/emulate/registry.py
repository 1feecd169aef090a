"""Emulated boards that run now: each `jaragua emulate` says where its boards are, as the USB bus does of real ones.

A file `emulated-<process>.json` in the run-time folder lists the boards. Beside it is a socket that takes a new image,
as a programmer does: one line of JSON in each direction.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from jaragua import folders
from jaragua.errors import JaraguaError, StoreError, ToolError

_PREFIX: Final = "emulated-"
_MOST_BYTES: Final = 64 * 1024
#: For how long a programmer may take: the board is switched off and on.
_UPLOAD_S: Final = 60.0


@dataclass(frozen=True)
class Running:
    """An emulated board that runs. `url`: its port; `programmer`: the socket that takes images for it."""

    url: str
    environment: str
    model: str
    uid: str
    programmer: str


def running_boards() -> list[Running]:
    """All that this user has started."""
    found: list[Running] = []
    for folder in folders.runtime_folders():
        if folders.is_private(folder):
            for path in sorted(folder.glob(f"{_PREFIX}*.json")):
                found += _read(path)
    return found


def _read(path: Path) -> list[Running]:
    """The boards of a file; of a process that was killed, the file goes."""
    try:
        os.kill(int(path.stem.removeprefix(_PREFIX)), 0)
        return [Running(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ProcessLookupError, ValueError, TypeError):
        with suppress(OSError):
            path.unlink()
    except OSError:  # gone meanwhile
        pass
    return []


@asynccontextmanager
async def announced(
    list_boards: Callable[[str], Sequence[Running]], upload: Callable[[str, Path], Awaitable[None]]
) -> AsyncIterator[None]:
    """Lists boards in the run-time folder and takes images for them, until the block ends.

    list_boards: the boards as they are, given the programmer's socket. upload: puts an image on the board of a port.
    Where there is no folder for it, boards run all the same and cannot be found.
    """
    try:
        folder = folders.make_runtime_folder()
    except StoreError:
        yield
        return
    listing, socket = (folder / f"{_PREFIX}{os.getpid()}{end}" for end in (".json", ".sock"))

    def write() -> None:
        text = json.dumps([asdict(board) for board in list_boards(str(socket))])
        fresh = listing.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(listing)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = await _programmed(reader, upload)
        write()
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    socket.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, str(socket), limit=_MOST_BYTES)
    socket.chmod(0o600)
    try:
        write()
        yield
    finally:
        server.close()
        for path in (listing, socket):
            path.unlink(missing_ok=True)


async def _programmed(reader: asyncio.StreamReader, upload: Callable[[str, Path], Awaitable[None]]) -> dict[str, Any]:
    try:
        request = json.loads(await asyncio.wait_for(reader.readline(), _UPLOAD_S))
        await upload(str(request["url"]), Path(request["image"]))
    except JaraguaError as error:
        return {"error": error.message, "hint": error.hint}
    except (ValueError, KeyError, TypeError, OSError) as error:
        return {"error": f"the request cannot be read: {error}", "hint": ""}
    return {}


async def upload_to(board: Running, image: Path) -> None:
    """Puts an image on an emulated board, which starts with it. ToolError if that fails."""
    request = {"url": board.url, "image": str(image.absolute())}
    try:
        async with asyncio.timeout(_UPLOAD_S):
            reader, writer = await asyncio.open_unix_connection(board.programmer, limit=_MOST_BYTES)
            writer.write(json.dumps(request).encode() + b"\n")
            answer = json.loads(await reader.readline())
            writer.close()
    except (OSError, ValueError) as error:
        raise ToolError(f"the emulated board on {board.url} takes no image: {error}", "Start it again.") from error
    if "error" in answer:
        raise ToolError(str(answer["error"]), str(answer.get("hint", "")))
