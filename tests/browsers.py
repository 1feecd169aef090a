"""Headless Chromium for tests of pages and for `make pictures`: no address but those of this machine is reached."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

#: Without these Chromium asks its maker for updates, and as root it starts only without its sandbox.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_OWN = {"127.0.0.1", "localhost", ""}


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of playwright. Raises ImportError without playwright, FileNotFoundError without Chromium."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise FileNotFoundError("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def browser_or_skip() -> Iterator[Any]:
    """The same; a test is skipped, with the reason, where it is missing. The set-up of `make test` installs it."""
    try:
        with chromium() as browser:
            yield browser
    except (ImportError, FileNotFoundError) as error:
        pytest.skip(str(error))


class Watched:
    """A page with all that it asked for and complained of."""

    def __init__(self, browser: Any, width: int = 1200, height: int = 900, scheme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("console", self._said)

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in _OWN:
            self.elsewhere.append(request.url)

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    @property
    def text(self) -> str:
        """All that is to be read."""
        return str(self.page.inner_text("body"))

    @property
    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
