"""Test images of firmware/test on emulated boards, and the terminal that hears them from the first byte on."""

from __future__ import annotations

import socket
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from jaragua.boards import Environment, environment
from jaragua.emulate import qemu
from jaragua.emulate.fleet import environment_of
from jaragua.wire.codegen.constants import write_header

FIRMWARE = Path(__file__).parents[2] / "firmware"
PORTS = FIRMWARE / "ports"
#: Until a board is given up; a busy machine may need long for what takes an idle one a moment.
PATIENCE_S = 60


def linker_arguments(board: Environment) -> list[str]:
    """The linker script, and the memory that it is told."""
    memory = {
        "jrg_flash_origin": board.flash.origin,
        "jrg_flash_size": board.flash.size_bytes - board.keep_bytes,
        "jrg_port_keep_start": board.flash.origin + board.flash.size_bytes - board.keep_bytes,
        "jrg_ram_origin": board.ram.origin,
        "jrg_ram_size": board.ram.size_bytes,
        "jrg_stack_size": board.stack_bytes,
    }
    script = next(path for folder in (*board.shared, board.port) for path in (PORTS / folder).glob("*.ld"))
    return [*(f"-Wl,--defsym={name}={value}" for name, value in memory.items()), "-T", str(script)]


def build_test_image(
    source: str,
    folder: Path,
    *defines: str,
    name: str = "qemu_m4",
    also: Iterable[Path] = (),
    instead: Mapping[Path, Path] = MappingProxyType({}),
) -> Path:
    """A program of firmware/test with the files of a board's port, those of `also`, and nothing else.

    instead: files of the port, and what is compiled in place of them.
    """
    board = environment(name)
    write_header(folder)
    flags = tomllib.loads((FIRMWARE / "flags.toml").read_text(encoding="utf-8"))
    options = [*flags["c"]["standard"], *flags["c"]["warnings"], *flags["core"][board.core], *flags["c"]["optimise"]]
    ports = [PORTS / one for one in (*board.shared, board.port)]
    libraries = [FIRMWARE / "lib" / name for name in ("jrg_keep", "jrg_link")]
    includes = [f"-I{path}" for path in (folder, PORTS, *libraries, *ports, ports[-1] / name)]
    files = [path for port in ports for path in sorted(port.glob("*.c"))]
    sources = [FIRMWARE / "test" / source, *also, *(instead.get(path, path) for path in files)]
    image = folder / f"{Path(source).stem}.elf"
    linking = [*flags["link"]["arm"], *linker_arguments(board), "-o", str(image)]
    said = [f'-DJRG_PORT_BOARD="{name}"', *defines]
    said += [f"-DJRG_PORT_KEEP_BYTES={board.keep_bytes}"] if board.keep_bytes else []
    subprocess.run(["arm-none-eabi-gcc", *options, *said, *includes, *sources, *linking], check=True)
    return image


class Terminal:
    """The host's end of a board's line."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def write(self, data: bytes) -> None:
        """Sends all of it."""
        self._line.sendall(data)

    def read_until(self, end: bytes) -> bytes:
        """What the board says, up to `end`; TimeoutError if it says nothing for `PATIENCE_S`."""
        got = b""
        while not got.endswith(end):
            got += self._received(256)
        return got

    def read_some(self, most_bytes: int) -> bytes:
        """At least one byte, and what follows it up to a newline."""
        got = self._received(most_bytes)
        while len(got) < most_bytes and b"\n" not in got:
            got += self._received(most_bytes - len(got))
        return got

    def _received(self, most_bytes: int) -> bytes:
        data = self._line.recv(most_bytes)
        assert data, "the emulator has ended"
        return data


@contextmanager
def switched_on(image: Path, sleeps: bool = True, buffer_bytes: int = 0) -> Iterator[Terminal]:
    """The board, from its first byte on.

    sleeps: False: while the board waits, its clock jumps to its next timer, so that no time passes on the host.
    buffer_bytes: of each of the line's buffers; 0: as the system has them.
    """
    with (
        _listener(buffer_bytes) as listener,
        subprocess.Popen(
            _command(image, listener, sleeps), pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL
        ) as process,
    ):
        try:
            with _connected(listener, buffer_bytes) as line:
                yield Terminal(line)
        finally:
            process.terminate()


def _command(image: Path, listener: socket.socket, sleeps: bool) -> list[str]:
    """The product's, but that the board waits for the terminal, so that its first line is not lost."""
    start = qemu.BootIdentity(b"\1" * 8, nonce=5)
    arguments = qemu.arguments(environment_of(image), image, listener.fileno(), start)
    command = [one.replace("wait=off", "wait=on") for one in arguments]
    return command if sleeps else [argument.replace("sleep=on", "sleep=off") for argument in command]


def _listener(buffer_bytes: int) -> socket.socket:
    """The emulator's end inherits the buffer."""
    listener = socket.create_server(("127.0.0.1", 0))
    if buffer_bytes:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    return listener


def _connected(listener: socket.socket, buffer_bytes: int) -> socket.socket:
    line = socket.socket()
    line.settimeout(PATIENCE_S)
    if buffer_bytes:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    line.connect(listener.getsockname())
    return line
