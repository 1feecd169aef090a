"""What holds for every test: nothing is left running, and each run says the seed of its random tests."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from common.postgres_server import PostgresServer, running_server
from common.processes import own_programs
from forked import Forker
from images import built_image
from jaragua.emulate import EmulatedBoard, NativeBoard, QemuBoard
from long_form import keep_of_form
from many_seeds import drawn_seed, give_seeds, keep_with_seeds, share_first_seed
from run_folder import make_run_folder, remove_run_folder
from schedule import sort_longest_first

#: What a test with a mark cannot do without (pyproject.toml says what the marks mean).
NEEDED = {"board": ("arm-none-eabi-gcc", "qemu-system-arm"), "cross": ("arm-none-eabi-gcc",)}


def pytest_configure(config: pytest.Config) -> None:
    """Signals as a terminal's programs have them; what the processes of the run share."""
    _hear_signals()
    _find_only_own_boards(config)
    if not hasattr(config, "workerinput"):  # a process that starts others, or the only one
        share_first_seed()
        make_run_folder()
        config.add_cleanup(remove_run_folder)
        cache: pytest.Cache | None = getattr(config, "cache", None)  # without -p cacheprovider there is none
        if cache is not None:
            _keep_in(cache.mkdir("built"))


def _keep_in(folder: Path) -> None:
    """Nothing comes from or goes to the user's cache. What is kept for the next run is named by its content.

    Where Python may not write bytecode, each process that a test starts compiles all it imports: it is kept here.
    """
    os.environ["XDG_CACHE_HOME"] = str(folder)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")


def _find_only_own_boards(config: pytest.Config) -> None:
    """Emulated boards and gateways of the user, or of another process of the run, are not found by tests."""
    folder = tempfile.mkdtemp(prefix="jrg-")  # short: a socket's path has at most 107 bytes
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ["XDG_RUNTIME_DIR"] = folder


def _hear_signals() -> None:
    """A shell starts what runs in its background deaf to SIGINT, `nohup` to SIGHUP; children inherit that.

    Tests send these signals to what they start.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


#: A busy machine makes no random test fail by its time; a failing example prints what repeats it.
settings.register_profile("jaragua", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("jaragua")

#: Factor on all times that decide about a board (protocol.md, L5.4), here and in every process a test starts: a
#: loaded machine must not make a slow board a silent one. Tests of silence give a patience of their own.
os.environ.setdefault("JARAGUA_BOARD_PATIENCE", "12")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A run in several processes (pytest-xdist) begins with the longest files; one process keeps pytest's order."""
    keep_of_form(config, items)
    keep_with_seeds(config, items)
    if hasattr(config, "workerinput"):
        sort_longest_first(items)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Of `make test-seeds`."""
    give_seeds(metafunc)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A failed test is named at once, by the process that shows the progress: a run that is stopped has no summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        crash = getattr(report.longrepr, "reprcrash", None)
        why = crash.message.partition("\n")[0] if crash is not None else ""
        print(f"\nfailed in {report.duration:.0f} s: {report.nodeid} ({report.when}): {why}", flush=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing tool fails the test: to leave such tests out is said (`-m "not board"`), never silent."""
    for mark, programs in NEEDED.items():
        missing = [program for program in programs if item.get_closest_marker(mark) and not shutil.which(program)]
        if missing:
            pytest.fail(f"{', '.join(missing)} not installed; `make setup-test` installs it or says how", pytrace=False)


DATA_VARIABLE = "JARAGUA_DATA_DIR"
DATA_BESIDE_THE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def use_data(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that takes the folder of a data set, makes its loader find it, and skips the test without it."""
    base = Path(os.environ.get(DATA_VARIABLE) or DATA_BESIDE_THE_REPOSITORY)

    def use(folder: str) -> Path:
        if not (base / folder).is_dir():
            where = f"set {DATA_VARIABLE} to a folder that has it (docs/reference/tasks.md)"
            pytest.skip(f"NO DATA: {folder} is not in {base}; {where}")
        monkeypatch.setenv(DATA_VARIABLE, str(base))
        return base / folder

    return use


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    """What starts commands of `jaragua` without their imports (forked.py)."""
    with Forker() as started:
        yield started


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process (common/postgres_server.py)."""
    with running_server() as server:
        yield server


@pytest.fixture
def native_board() -> Iterator[EmulatedBoard]:
    """The firmware as a process of this computer: the same C, on a pty."""
    with NativeBoard(built_image("native", "digits")) as board:
        yield board


@pytest.fixture
def qemu_board() -> Iterator[EmulatedBoard]:
    """The real image on the emulated Cortex-M4."""
    with QemuBoard(built_image("qemu_m4", "digits")) as board:
        yield board


@pytest.fixture(params=["native", pytest.param("qemu", marks=pytest.mark.board)])
def emulated(request: pytest.FixtureRequest) -> EmulatedBoard:
    """Both kinds of board, one after the other."""
    board: EmulatedBoard = request.getfixturevalue(f"{request.param}_board")
    return board


@pytest.fixture(scope="session")
def run_seed() -> int:
    """One seed for the run's random tests: JARAGUA_TEST_SEED repeats an earlier run."""
    return drawn_seed()


@pytest.fixture
def seed(run_seed: int) -> int:
    """The run's seed, printed where pytest shows it if the test fails."""
    print(f"seed: repeat with JARAGUA_TEST_SEED={run_seed}")
    return run_seed


def _descendants() -> dict[int, str]:
    """Process id -> command line of every process below this one."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text()
            commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        state, parent = status.rpartition(")")[2].split()[:2]
        if state != "Z":
            parents[int(entry.name)] = int(parent)
    return {pid: commands[pid] for pid in parents if _is_below(pid, parents)}


def _is_below(pid: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fails the run if a board, a broker or a command of ours outlives the tests that started it."""
    yield
    left = own_programs(_descendants().values(), Path(__file__).parents[1])
    assert not left, f"left running by a test: {left}"
