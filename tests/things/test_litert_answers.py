"""M50, M51: a Pi that computes in float32 with LiteRT answers who is given its Thing Description alone."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from fleet_bench import run, running, settings
from live_fleet import ASKER, BLOB, PLAN, SAMPLE, announce, description_of, open_broker
from thing_client import ThingClient

from jaragua.client.client import run_litert_client
from jaragua.client.litert_trainer import TrainingFiles
from jaragua.node.connection.check import plain_client
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.litert.training_file import read_training_file
from jaragua_compiler.quantisation.blob import unpack

FILE = Path(__file__).parents[1] / "client" / "litert" / "digits.tflite"


def test_m51_a_litert_client_answers_with_the_outputs_of_float32(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")

    async def story() -> None:
        with open_broker(tmp_path) as place:
            where = replace(settings(place.gateway.public, tmp_path, "pi-1"), url=place.gateway)
            async with plain_client(place.coordinator) as coordinator:
                await announce(coordinator)
                async with running(run_litert_client(where, TrainingFiles([read_training_file(FILE)]))):
                    await asked(ThingClient(await description_of(coordinator, "pi-1", "pi-1")))

    run(story())


async def asked(client: ThingClient) -> None:
    async with client:
        assert (await client.observe("state"))["format"] == "f32"
        assert (await client.read("model"))["model"] == "digits"
        answers = await client.subscribe("inferred", asker=ASKER, call="c1")
        await client.invoke("infer", {"inputs": SAMPLE}, asker=ASKER, call="c1")
        answer = await answers.next()
    wanted = FloatEngine(PLAN.network, unpack(PLAN, BLOB)).forward(np.array([SAMPLE]))[0]
    assert (answer["status"], answer["weights"]) == ("ok", sha256(BLOB).hexdigest()[:16])
    assert answer["outputs"] == pytest.approx(wanted.tolist(), abs=1e-4)
    assert answer["label"] == int(np.argmax(wanted))
