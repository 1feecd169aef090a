"""Warns of the certificates of a connection before they end (G19)."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jaragua.errors import StoreError
from jaragua.node.connection.url import BrokerUrl
from jaragua.trust.expiry import endings

LOGGER = logging.getLogger(__name__)
_EVERY_SECONDS: Final = 24 * 3600.0


async def watch_expiry(url: BrokerUrl) -> None:
    """At once and then once a day, until cancelled; files are read anew, as they may have been renewed."""
    files = [file for file in (url.files.certificate, url.files.authority) if url.tls and file is not None]
    while True:
        for sentence in soon_ending(files):
            LOGGER.warning("%s", sentence)
        await asyncio.sleep(_EVERY_SECONDS)


def soon_ending(files: Iterable[Path]) -> list[str]:
    """A sentence for each certificate that ends soon. What cannot be read is said by the connection itself."""
    if importlib.util.find_spec("cryptography") is None:
        return []
    now, found = datetime.now(UTC), []
    for file in files:
        with suppress(StoreError):
            found += [one.in_words(now) for one in endings([file]) if one.is_soon(now)]
    return found
