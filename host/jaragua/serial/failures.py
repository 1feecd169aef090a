"""What can go wrong with a board, and the sentences for it."""

from __future__ import annotations

import shlex

from jaragua.errors import BoardError, ProtocolError
from jaragua.serial.patience import PATIENCE_VARIABLE, Patience
from jaragua.wire import messages
from jaragua.wire.definitions import status_text


class BoardRestarted(BoardError):
    """The board was restarted and the working weights the request builds upon are gone: begin again from a blob."""


class BoardSilent(BoardError):
    """Nothing that speaks the protocol answers on the port."""


class BoardBabbles(BoardSilent):
    """What comes from the port is not the protocol (L5.7)."""


class BoardVersionError(ProtocolError):
    """The board speaks another version of the protocol (L2.4)."""


class BoardRefused(BoardError):
    """The board answered with a status other than ok: `status` is its number, the message says what it means (L4.9)."""

    def __init__(self, message: str, hint: str, status: int, detail: int) -> None:
        super().__init__(message, hint)
        self.status = status
        self.detail = detail


def update_command(url: str) -> str:
    """The command that puts this release's firmware on the board of port `url`; `--model NAME` may follow."""
    return f"jaragua flash --port {shlex.quote(url)}"


def version_error(url: str, problem: str) -> BoardVersionError:
    """L2.4."""
    return BoardVersionError(f"{url}: {problem}", f"Update the board: {update_command(url)}")


def no_answer(patience: Patience, *, slow: bool) -> str:
    """What is said of a board that owes an answer: it sends nothing (L5.2), or other things than the answer (L5.3)."""
    if slow:
        return f"the board is there, but has not answered a request for {patience.answer_s:g} s"
    return f"the board has taken a request and has been silent for {patience.silence_s:g} s"


def silent(url: str, what: str, printed: str) -> BoardSilent:
    """`what` happened on the port; `printed` is the last text seen there, "" for none."""
    seen = f'; it printed "{printed}"' if printed else ""
    hint = (
        "Check that no other program has the port and reset the board; "
        f"if it does not run Jaragua's firmware: {update_command(url)}; on a slow machine: {PATIENCE_VARIABLE}=10"
    )
    return BoardSilent(f"{url}: {what}{seen}", hint)


def babbles(url: str, count: int) -> BoardBabbles:
    """So many bytes came, and not one frame."""
    return BoardBabbles(
        f"{url}: {count} bytes came and not one frame of Jaragua among them; the port is closed for a while",
        f"Check the baud rate and what is connected; a board with other firmware: {update_command(url)}",
    )


def refused(url: str, status: messages.Status) -> BoardRefused:
    """The board's own refusal, in words."""
    text = status_text(status.code)
    sentence = f"{url}: the board refuses ({text.name}, detail {status.detail}): {text.meaning}"
    return BoardRefused(sentence, text.remedy, status.code, status.detail)


def interrupted(url: str, attempts: int) -> BoardError:
    """The session was lost again and again."""
    return BoardError(
        f"{url}: the link broke off {attempts} times during one request", "Check cable and supply of the board."
    )


def stuck(url: str, job: int) -> BoardError:
    """All samples were sent and the job does not end."""
    return BoardError(f"{url}: job {job} does not end though the board has all samples", "Reset the board.")


def restarted(url: str) -> BoardRestarted:
    """A request needs weights that a restart has erased."""
    return BoardRestarted(
        f"{url}: the board was restarted and has lost its weights",
        "Begin again from a blob; the host does so by itself.",
    )
