"""Start and stop emulated boards: an image on the emulator that its environment names, or as a process."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from jaragua.bases.closing import Closing
from jaragua.boards import Environment, environment
from jaragua.commands import pio
from jaragua.emulate import qemu, rp2040
from jaragua.emulate.elf import Image
from jaragua.emulate.process import BoundProcess
from jaragua.errors import BoardError, ToolError

#: All kinds have a unique id of this length.
UID_BYTES = qemu.UID_BYTES


class Switched(Closing):
    """What a `with` block switches on and off."""

    @abstractmethod
    def start(self) -> None:
        """Switches it on."""

    @abstractmethod
    def stop(self) -> None:
        """Switches off all that `start` has switched on, though it failed half-way."""

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self


class EmulatedBoard(Switched):
    """One board. The process ends with `stop`, with the `with` block, or when the thread that called `start` ends."""

    def __init__(self, image: Path, uid: bytes = b"") -> None:
        """`image`: of `build_image`. `uid`: 8 bytes, drawn if not given."""
        self.image = image
        self.uid = uid or secrets.token_bytes(UID_BYTES)
        self._process: BoundProcess | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The port, as `Board`, `jaragua gateway` and `jaragua monitor` take it."""

    @abstractmethod
    def _launch(self) -> BoundProcess:
        """Starts the process of this kind of board."""

    def start(self) -> None:
        """Switches the board on. ToolError if the emulator or the image is missing."""
        if not self.image.exists():
            raise ToolError(
                f"there is no image {self.image}",
                f"Build it with `{pio()} run -e {self.image.parent.name.partition('-')[0]}`.",
            )
        self._process = self._launch()

    def restart(self) -> None:
        """Switches the board off and on: its memory is gone, its unique id stays, and on QEMU its port too."""
        self._end()
        self.start()

    def program(self, image: Path) -> None:
        """Switches the board off and on again with another image, as a programmer does."""
        self.image = image
        self.restart()

    def check(self) -> None:
        """ToolError with the process' own words if the board has ended by itself."""
        if self._process is not None and not self._process.is_running:
            words = qemu.without_chatter(self._process.last_words()) or "nothing"
            raise ToolError(f"the emulated board on {self.url} has ended; its last words: {words}", "Start it again.")

    def stop(self) -> None:
        """Switches the board off; a second call does nothing."""
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None


class ListeningBoard(EmulatedBoard):
    """A board on an emulator. Its port is open from the moment the object is made and stays the same over `restart`."""

    def __init__(self, image: Path, uid: bytes = b"") -> None:
        super().__init__(image, uid)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._url = "socket://{}:{}".format(*self._listener.getsockname())

    @property
    def url(self) -> str:
        """`socket://127.0.0.1:…`"""
        return self._url

    def stop(self) -> None:
        """Switches the board off and closes its port."""
        super().stop()
        self._listener.close()

    @abstractmethod
    def _command(self, listening_fd: int, start: qemu.BootIdentity) -> list[str]:
        """What starts the emulator. ToolError if it is not installed or the image is none."""

    def _launch(self) -> BoundProcess:
        listening_fd = self._listener.fileno()
        command = self._command(listening_fd, qemu.BootIdentity(self.uid, secrets.randbits(32)))
        return BoundProcess(command, pass_fds=[listening_fd])


class QemuBoard(ListeningBoard):
    """A board on the machine of QEMU that its environment names."""

    def _command(self, listening_fd: int, start: qemu.BootIdentity) -> list[str]:
        board = environment_of(self.image)
        if shutil.which(board.qemu) is None:
            package = qemu.PACKAGES[board.qemu]
            raise ToolError(f"{board.qemu} is not installed", f"Run: sudo apt-get install {package}")
        return qemu.arguments(board, self.image, listening_fd, start)


class Rp2040Board(ListeningBoard):
    """A Raspberry Pi Pico on rp2040js."""

    def _command(self, listening_fd: int, start: qemu.BootIdentity) -> list[str]:
        if shutil.which(rp2040.PROGRAM) is None:
            raise ToolError("Node.js is not installed", "Run: sudo apt-get install nodejs npm")
        if not rp2040.is_installed():
            raise ToolError("rp2040js is not installed", "Run: tools/setup/setup.sh boards")
        return rp2040.arguments(environment_of(self.image), self.image, listening_fd, start)


def environment_of(image: Path) -> Environment:
    """What an image was built for: it says so itself. Raises: ToolError if the file is no image of Jaragua."""
    return environment(Image(image).text_at("jrg_port_board_name"))


class NativeBoard(EmulatedBoard):
    """The native image, which makes a pseudo terminal of its own at each start."""

    def __init__(self, image: Path, uid: bytes = b"", link: Path | None = None) -> None:
        """`link`: a symbolic link to the terminal, so that the port keeps its name over `restart`."""
        super().__init__(image, uid)
        self._url = ""
        self._link = link

    @property
    def url(self) -> str:
        """`/dev/pts/…`, "" before the first start."""
        return self._url

    def _launch(self) -> BoundProcess:
        process = BoundProcess([str(self.image), "--uid", self.uid.hex()])
        self._url = process.read_line()
        if self._link is not None:
            fresh = self._link.with_name(f"{self._link.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._url)
            fresh.replace(self._link)
            self._url = str(self._link)
        return process

    def _end(self) -> None:
        """The port goes with the board."""
        super()._end()
        if self._link is not None:
            self._link.unlink(missing_ok=True)


class EmulatedFleet(Switched):
    """Several boards of one image: `with EmulatedFleet(build_image(), 4) as fleet: … fleet.urls …`."""

    def __init__(self, image: Path, count: int, uids: Sequence[bytes] = (), links: Path | None = None) -> None:
        """`uids`: 8 bytes for each board, drawn if not given. `links`: a folder for lasting names of native ports."""
        self._image = image
        self._uids = list(uids) or [b""] * count
        self._links = links
        self.boards: list[EmulatedBoard] = []

    @property
    def urls(self) -> list[str]:
        """One port a board."""
        return [board.url for board in self.boards]

    def check(self) -> None:
        """ToolError if a board has ended by itself."""
        for board in self.boards:
            board.check()

    def program(self, url: str, image: Path, folder: Path) -> None:
        """Puts an image on one board, as a programmer does. folder: for the copy; the next build may change the file.

        Raises: BoardError if no board has that port, ToolError if the image cannot be started.
        """
        for number, board in enumerate(self.boards):
            if board.url == url:
                own = folder / f"{number}-{image.name}"
                fresh = own.with_name(f"{own.name}.new")
                shutil.copy2(image, fresh)
                fresh.replace(own)
                board.program(own)
                return
        raise BoardError(f"no emulated board has the port {url}", "`jaragua boards` lists them")

    def stop(self) -> None:
        """Switches all boards off."""
        while self.boards:
            self.boards.pop().stop()

    def start(self) -> None:
        """Switches all boards on. ToolError if the emulator or the image is missing."""
        for number, uid in enumerate(self._uids):
            self.boards.append(emulated_board(self._image, uid, self._link(number)))
            self.boards[-1].start()

    def _link(self, number: int) -> Path | None:
        return self._links and self._links / f"tty-{os.getpid()}-{number}"


def emulated_board(image: Path, uid: bytes = b"", link: Path | None = None) -> EmulatedBoard:
    """A board of the kind that runs `image`, switched off; `link` as of NativeBoard.

    ToolError if the file is no image of Jaragua.
    """
    if image.suffix != ".elf":
        return NativeBoard(image, uid, link)
    kind = Rp2040Board if environment_of(image).emulator == "rp2040js" else QemuBoard
    return kind(image, uid)
