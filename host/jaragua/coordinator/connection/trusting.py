"""Broker, members and signing key of a run, from its settings."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from jaragua.coordinator.connection.fleet import TrustSettings, unix_ms
from jaragua.node.connection.access import Access, address_of
from jaragua.node.connection.url import BrokerUrl
from jaragua.settings import BrokerSettings, RunConfig
from jaragua.trust.members import MembersFile
from jaragua.trust.reach import is_loopback
from jaragua.trust.signing_key import open_signer

LOGGER = logging.getLogger(__name__)


def connection_of(config: RunConfig) -> tuple[BrokerUrl, TrustSettings]:
    """Raises: BrokerError, ConfigurationError, StoreError, ToolError, UsageError about what the settings name."""
    access = access_of(config.broker)
    url, owner = address_of(access, os.environ), access.owner()
    signing_key = _path(config.broker.signing_key) or (owner.signing_key if owner is not None else None)
    signer = None if signing_key is None else open_signer(signing_key, unix_ms())
    if not config.devices.members:
        if not is_loopback(url.host):
            LOGGER.warning("the fleet is open: every node that the broker lets in takes part (devices.members)")
        return url, TrustSettings(signer=signer)
    file = MembersFile(Path(config.devices.members), time.monotonic)
    return url, TrustSettings(lambda: file.members, signer)


def aggregators_url(config: RunConfig) -> BrokerUrl:
    """The broker as aggregators connect to it. Raises: as above."""
    access, folder = access_of(config.broker), _path(config.broker.aggregator_identity)
    if folder is not None:
        access = Access(url=access.url or config.broker.url, identity=folder, insecure=access.insecure)
    return address_of(access, os.environ)


def access_of(broker: BrokerSettings) -> Access:
    """What [broker] says. The identity's own broker counts where the file names none."""
    named = broker.url != BrokerSettings.url or not broker.identity
    return Access(
        url=broker.url if named else "",
        identity=_path(broker.identity),
        ca=_path(broker.ca),
        certificate=_path(broker.certificate),
        key=_path(broker.key),
        user=broker.user,
        password_file=_path(broker.password_file),
        insecure=broker.insecure,
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None
