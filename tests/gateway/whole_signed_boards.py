"""Boards that verify the coordinator's signatures (G32, G33), behind a real gateway: `make test-signed`.

The firmware runs as a process, and on emulated Cortex-M4, Cortex-M0 and RISC-V.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fleet_bench import FLEET, Headquarters, digits_blob, run, running, settings, train_command, until
from test_gateway_emulated import update_of_reference

from jaragua.emulate.fleet import emulated_board
from jaragua.emulate.image import build_image
from jaragua.errors import BoardError
from jaragua.gateway.gateway import run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.node.node import NodeSettings
from jaragua.serial.board import Board
from jaragua.serial.failures import BoardRefused
from jaragua.trust.signing import Signer, signature_of
from jaragua.wire.definitions import Operator
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker

SECRET, STRANGER = bytes(range(32)), bytes(range(1, 33))
PRIVATE = Ed25519PrivateKey.from_private_bytes(SECRET)
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
FIRST, SECOND = digits_blob(1), digits_blob(2)
KINDS = ("native", "qemu_m4", "bbcmicrobit", "qemu_rv32")


@pytest.fixture(scope="module", params=KINDS)
def board_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    key = tmp_path_factory.mktemp("key") / "coordinator.pub.pem"
    key.write_bytes(PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with emulated_board(build_image(request.param, "digits", key=key)) as board:
        yield board.url


def topic_of(blob: bytes) -> str:
    return build(TopicKind.BLOB, FLEET, sha256=hashlib.sha256(blob).hexdigest())


async def answer_to(url: str, blob: bytes, signer: Signer) -> int:
    """What a board on its port says to a blob that a signer signed: 0, or the number of its refusal."""
    async with Board(url) as board:
        assert board.identity.operators >> Operator.SIGNED & 1
        found = signature_of(topic_of(blob), dict(signer.properties(topic_of(blob), blob)))
        board.signature_of = lambda sha256: found
        try:
            await board.upload(blob)
        except BoardRefused as error:
            return error.status
    return 0


def test_g33_a_board_takes_what_the_coordinator_signed_and_nothing_else(board_url: str) -> None:
    async def story() -> None:
        async with Board(board_url) as board:
            with pytest.raises(BoardError, match="not_signed"):
                await board.upload(FIRST)
        assert await answer_to(board_url, FIRST, Signer(STRANGER, 5)) == 26
        assert await answer_to(board_url, FIRST, Signer(SECRET, 5)) == 0
        assert await answer_to(board_url, SECOND, Signer(SECRET, 4)) == 27
        assert await answer_to(board_url, SECOND, Signer(SECRET, 6)) == 0

    run(story())


@pytest.mark.parametrize("knows_the_key", [True, False], ids=["gateway with the key", "gateway without"])
def test_g32_a_signed_start_is_trained_from_and_an_unsigned_one_is_refused(
    board_url: str, knows_the_key: bool, tmp_path: Path
) -> None:
    """The gateway hands the signature on, whether it verifies it itself or not; the bits are the reference's."""
    command = train_command(FIRST, "board", ways=5, shots=3)

    async def story() -> None:
        with Broker() as broker:
            own: NodeSettings = settings(broker.url, tmp_path, "gw", kind="gateway")
            work = run_gateway(
                replace(own, coordinator_key=PUBLIC if knows_the_key else None), [PortSettings(board_url, "board")]
            )
            async with Headquarters(broker.url) as headquarters, running(work):
                await headquarters.device_is("board", "ready")
                signer = Signer(SECRET, 10)
                await headquarters.publish_blob(FIRST, signer=signer)
                await headquarters.command("gw", "train", command, signer)
                header, update = await headquarters.update_number(1)
                assert (header.device, update) == ("board", update_of_reference(command)[0])
                if not knows_the_key:
                    await _refused(headquarters)

    async def _refused(headquarters: Headquarters) -> None:
        await headquarters.publish_blob(SECOND)
        await headquarters.command("gw", "train", train_command(SECOND, "board", 2, ways=5, shots=3))
        await until(lambda: [s for s in headquarters.device_states("board") if s.reason and "not_signed" in s.reason])
        assert {header.round for header, _ in headquarters.updates()} == {
            1
        }  # it is sent again until it is acknowledged

    run(story())
