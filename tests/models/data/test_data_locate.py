"""Finding and downloading data sets: where one is looked for, and what a broken connection or a wrong file does."""

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from jaragua_models import ModelError
from jaragua_models.data import Source, cache_folder, find, local
from jaragua_models.data.computed import kept
from jaragua_models.data.content import content_digest
from jaragua_models.data.download import DownloadError, fetch
from jaragua_models.data.progress import Progress

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `breaks_after` bytes it hangs up once; `ranges` says whether it can continue."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.breaks_after: int | None = None
        self.ranges = True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.zip"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path != "/file.zip":
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        body = CONTENT[start:]
        if self.server.breaks_after is not None:
            body, self.server.breaks_after = body[: self.server.breaks_after], None
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JARAGUA_DATA_DIR", raising=False)
    return tmp_path / "cache" / "jaragua" / "data"


def test_the_data_folder_comes_before_the_cache(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for base in (tmp_path / "data", cache):
        (base / "set").mkdir(parents=True)
        (base / "set" / "file.zip").write_bytes(b"here")
    monkeypatch.setenv("JARAGUA_DATA_DIR", str(tmp_path / "data"))
    assert local("set", "file.zip") == tmp_path / "data" / "set" / "file.zip"
    (tmp_path / "data" / "set" / "file.zip").unlink()
    assert local("set", "file.zip") == cache / "set" / "file.zip"
    assert local("set", "other.zip") is None


def test_a_data_folder_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JARAGUA_DATA_DIR", "/nowhere/data")
    with pytest.raises(ModelError, match="JARAGUA_DATA_DIR names the folder /nowhere/data"):
        local("set", "file.zip")


def test_what_is_nowhere_is_downloaded_into_the_cache_once(server: Server, cache: Path) -> None:
    source = Source("set", "file.zip", server.url, SHA256)
    assert find(source).read_bytes() == CONTENT
    assert find(source) == cache / "set" / "file.zip"
    assert len(server.asked) == 1
    assert [path.name for path in (cache / "set").iterdir()] == ["file.zip"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_continued_if_the_server_can(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.breaks_after, server.ranges = 100_000, ranges
    target = tmp_path / "file.zip"
    with pytest.raises(DownloadError, match="after 100000 of 256000 bytes"):
        fetch(server.url, target, SHA256, io.StringIO())
    assert not target.exists()
    fetch(server.url, target, SHA256, io.StringIO())
    assert target.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


def test_a_whole_part_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT)
    fetch(server.url, tmp_path / "file.zip", SHA256, io.StringIO())
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_wrong_file_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="SHA-256 differs"):
        fetch(server.url, tmp_path / "file.zip", "0" * 64, io.StringIO())
    assert list(tmp_path.glob("file*")) == []


def test_two_downloads_at_once_end_with_one_whole_file(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.zip"
    threads = [threading.Thread(target=fetch, args=(server.url, target, SHA256, io.StringIO())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.glob("file*")) == [target]


def test_without_network_the_error_says_what_to_put_where(server: Server, cache: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(ModelError, match=r"set/file\.zip is not on this machine.*no connection") as caught:
        find(Source("set", "file.zip", server.url))
    assert server.url in caught.value.hint
    assert str(cache / "set" / "file.zip") in caught.value.hint
    assert "JARAGUA_DATA_DIR" in caught.value.hint


def test_an_answer_that_is_no_file_is_named(server: Server) -> None:
    with pytest.raises(ModelError, match="answers 404"):
        find(Source("set", "file.zip", server.url.replace("file", "other")))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_a_log_gets_one_line(server: Server, tmp_path: Path) -> None:
    terminal, log = Terminal(), io.StringIO()
    fetch(server.url, tmp_path / "a.zip", SHA256, terminal)
    fetch(server.url, tmp_path / "b.zip", SHA256, log)
    assert terminal.getvalue().endswith("[##############################]  0.3 of 0.3 MB\n")
    assert log.getvalue() == "downloading b.zip\n"
    with Progress("c.zip", terminal) as progress:
        progress.show(500_000, None)
    assert "c.zip  0.5 MB" in terminal.getvalue()


def test_computed_arrays_are_kept_and_made_again_if_the_file_is_damaged() -> None:
    made = []

    def compute() -> dict[str, np.ndarray]:
        made.append(1)
        return {"squares": np.arange(5) ** 2}

    for _ in range(2):
        assert kept("set/squares-1", compute)["squares"].tolist() == [0, 1, 4, 9, 16]
    assert len(made) == 1
    file = cache_folder() / "set" / "squares-1.npz"
    file.write_bytes(file.read_bytes()[:50])
    assert kept("set/squares-1", compute)["squares"].tolist() == [0, 1, 4, 9, 16]
    assert len(made) == 2
    assert [path.name for path in file.parent.iterdir()] == ["squares-1.npz"]


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert kept("set/ones-1", lambda: {"ones": np.ones(3)})["ones"].tolist() == [1, 1, 1]


def test_the_digest_of_contents_does_not_depend_on_packing() -> None:
    members = [("b", b"2"), ("a", b"1")]
    assert content_digest(members) == content_digest(reversed(members))
    assert content_digest(members) != content_digest([("b", b"1"), ("a", b"2")])
