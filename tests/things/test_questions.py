"""M51: what strangers send as a question, what is answered, and in which order a device works."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np
import pytest
from fleet_bench import FLEET, CountingTrainer, adapt_command, digits_blob, run, running, settings, train_command, until
from hypothesis import given
from hypothesis import strategies as st

from jaragua.errors import ModelError
from jaragua.models import zoo_model_named
from jaragua.node import questions
from jaragua.node.connection.gate import NodeGate
from jaragua.node.connection.sieve import Verdict
from jaragua.node.description import DeviceFacts
from jaragua.node.device import MOST_QUESTIONS, AdaptJob, Device, TrainJob
from jaragua.node.node import Node
from jaragua.node.questions import Caller, NoQuestionError, Question
from jaragua.wire.messages import RunState
from jaragua.wire.rejections import Reason
from jaragua.wire.topics import Topic, TopicKind, build, parse
from jaragua_broker import Broker
from jaragua_compiler import calibrate, initial_weights, pack, plan

CALLER = Caller("pi-1", "phone", "c1")
TOPIC = Topic(TopicKind.QUESTION, FLEET, node="pi-1", device="pi-1", asker="phone", call="c1")

BROKEN = {
    "no JSON": (b"\xff\xfe", "a question is a JSON object"),
    "too deep": (b"[" * 100_000, "a question is a JSON object"),
    "a list": (b"[1]", "a question has one field"),
    "another field": (b'{"inputs": [1], "more": 1}', "a question has one field"),
    "a text": (b'{"inputs": "1"}', "a question has one field"),
    "nothing": (b'{"inputs": []}', '"inputs" has 0 numbers'),
    "not a number": (b'{"inputs": [NaN]}', '"inputs" has nan at place 0'),
    "infinity": (b'{"inputs": [1, -Infinity]}', '"inputs" has -inf at place 1'),
    "more than float32 has": (b'{"inputs": [1e39]}', '"inputs" has 1e+39 at place 0'),
    "an integer of 4,000 digits": (b'{"inputs": [' + b"9" * 4000 + b"]}", '"inputs" has 9999'),
    "yes": (b'{"inputs": [true]}', '"inputs" has True at place 0'),
    "a list in it": (b'{"inputs": [[1]]}', '"inputs" has [1] at place 0'),
    "too many": (b'{"inputs": [' + b"0," * 65_535 + b"0]}", '"inputs" has 65,536 numbers'),
    "too long": (b" " * 262_145, "a question has at most 262,144 bytes"),
}


@pytest.mark.parametrize(("payload", "sentence"), BROKEN.values(), ids=BROKEN)
def test_m51_a_broken_question_is_refused_with_its_sentence(payload: bytes, sentence: str) -> None:
    with pytest.raises(NoQuestionError) as caught:
        questions.read(TOPIC, payload)
    assert caught.value.message.startswith(sentence)
    assert caught.value.caller == CALLER


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.just("inputs") | st.text(max_size=3), inner),
    max_leaves=10,
)


@given(st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()))
def test_p1_m51_any_bytes_are_a_question_or_a_named_error(payload: bytes) -> None:
    try:
        found = questions.read(TOPIC, payload)
    except NoQuestionError:
        return
    assert np.isfinite(np.array(found.inputs, np.float32)).all()
    assert found.inputs == tuple(map(float, json.loads(payload)["inputs"]))


def test_m51_an_answer_has_outputs_weights_and_of_a_classifier_label_and_name() -> None:
    outputs = np.array([0.5, 2.0, 2.0])
    assert json.loads(questions.answer("sine", bytes(32), outputs, None)) == {
        "status": "ok",
        "outputs": [0.5, 2.0, 2.0],
        "weights": "0" * 16,
        "model": "sine",
    }
    named = json.loads(questions.answer("own", b"\xab" * 32, outputs, ("a", "b", "c")))
    assert (named["label"], named["class"], named["weights"]) == (1, "b", "ab" * 8)
    assert "class" not in json.loads(questions.answer("digits", bytes(32), outputs, ()))


class Host:
    """A node that keeps what a device does, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def perform(self, trainer: Any, job: TrainJob | AdaptJob) -> None:
        self.done.append(f"job {job.command.seed}")

    def refuse(self, job: Any, why: str, reason: Reason = Reason.COMMAND) -> None:
        self.done.append(f"refused {job.command.seed}")

    async def reply(self, trainer: Any, question: Question) -> None:
        self.done.append(f"answer {question.caller.call}")

    def decline(self, question: Question, why: str, reason: Reason = Reason.COMMAND) -> None:
        self.done.append(f"declined {question.caller.call}: {reason}, {why}")

    def is_of_the_run(self, job: Any) -> bool:
        return True

    def state_changed(self, device: Device) -> None:
        pass


def question(call: str) -> Question:
    return Question(Caller("pi-1", "phone", call), (1.0,))


def new_device() -> tuple[Host, Device]:
    host = Host()
    return host, Device(host, "pi-1", "pi", "digits", bytes(8))


def test_m51_a_job_goes_before_all_questions_and_eight_of_them_wait() -> None:
    async def story() -> None:
        host, device = new_device()
        for number in range(MOST_QUESTIONS + 1):
            device.ask(question(f"c{number}"))
        device.submit(TrainJob(train_command(b"", seed=1)))
        async with running(device.serve(CountingTrainer())):
            await until(lambda: len(host.done) == MOST_QUESTIONS + 2)
        assert host.done[0] == f"declined c{MOST_QUESTIONS}: flood, {MOST_QUESTIONS} questions wait for pi-1 already"
        assert host.done[1:] == ["job 1", *(f"answer c{number}" for number in range(MOST_QUESTIONS))]

    run(story())


def test_m51_a_device_that_is_lost_or_stale_declines_what_waits_and_what_comes() -> None:
    host, device = new_device()
    device.ask(question("c1"))
    device.set_state("lost", "no board")
    device.ask(question("c2"))
    device.set_state("ready")
    device.mark_stale("another network")
    device.ask(question("c3"))
    assert host.done == [
        "declined c1: command, no board",
        "declined c2: command, no board",
        "declined c3: command, another network",
    ]


def test_m51_m16_of_each_device_five_questions_a_second_are_read() -> None:
    gate = NodeGate(FLEET, "gw", {"left", "right"})

    def is_read(device: str, now_s: float) -> bool:
        topic = build(TopicKind.QUESTION, FLEET, node="gw", device=device, asker="a", call="c")
        return gate.admits(topic.encode(), b"{}", now_s, is_retained=False) is Verdict.READ

    assert [is_read("left", 0.0) for _ in range(30)].count(True) == 20
    assert [is_read("left", 1.0) for _ in range(30)].count(True) == 5
    assert is_read("right", 1.0)
    assert [is_read("nobody", 1.0) for _ in range(30)].count(True) == 20  # what names no device here, all together


Asked = Callable[[bytes], Awaitable[dict[str, Any]]]


async def served(broker: Broker, folder: Path, story: Callable[[Node, Asked], Awaitable[None]]) -> None:
    """A node with one device, and how to ask it."""
    node = Node(settings(broker.url, folder))
    device = node.add_device("pi-1", "pi", DeviceFacts("x/pi-1", "pi-1"), "digits", node.task_sampler.plan.architecture)
    async with (
        aiomqtt.Client("127.0.0.1", broker.port) as client,
        running(node.run()),
        running(device.serve(CountingTrainer())),
    ):
        await client.subscribe([(build(TopicKind.NODE_STATE, FLEET, node="pi-1"), 1), (_topic(TopicKind.ANSWER), 1)])
        messages = aiter(client.messages)
        await anext(messages)  # the node's state: it is subscribed to questions before it says so

        async def ask(payload: bytes) -> dict[str, Any]:
            await client.publish(_topic(TopicKind.QUESTION), payload, qos=1)
            while parse(str((message := await anext(messages)).topic)).kind is not TopicKind.ANSWER:
                pass
            found: dict[str, Any] = json.loads(bytes(message.payload))
            return found

        await story(node, ask)


def _topic(kind: TopicKind) -> str:
    return build(kind, FLEET, node="pi-1", device="pi-1", asker="phone", call="c1")


def test_m51_without_weights_or_with_other_inputs_there_is_a_sentence(tmp_path: Path) -> None:
    async def story(node: Node, ask: Asked) -> None:
        assert (await ask(b'{"inputs": [1]}'))["why"].startswith("no run has announced weights yet")
        blob = digits_blob()
        node._blobs.keep(sha256(blob).digest(), blob)
        node._on_run(RunState("r1", 1, 9, "training", "digits", "", sha256(blob).digest(), 0, 1))
        assert "1 inputs were given, the network of 'digits' takes 64" in (await ask(b'{"inputs": [1]}'))["why"]
        assert (await ask(json.dumps({"inputs": [2.0] * 64}).encode()))["outputs"] == [2.0] * 10
        assert node.rejected == 2

    with Broker() as broker:
        run(served(broker, tmp_path, story))


def test_m51_r14_a_board_of_the_other_format_answers_with_what_its_last_job_started_from(tmp_path: Path) -> None:
    model = zoo_model_named("digits@w8")
    narrow, start = plan(model.network), initial_weights(model.network, 1)
    blob = pack(narrow, start, calibrate(narrow, start, model.tasks.calibration()))

    async def story() -> None:
        node, trainer = Node(settings("mqtt://127.0.0.1:1", tmp_path, "gw", kind="gateway")), CountingTrainer()
        device = node.add_device("left", "cortex-m4", DeviceFacts("x/left", "left"), "digits", narrow.architecture)
        node._on_run(RunState("r1", 1, 9, "training", "digits", "", bytes(32), 0, 1))
        with pytest.raises(ModelError, match="in its format yet"):
            await node._start_for(device)
        node._blobs.keep(sha256(blob).digest(), blob)
        await node.perform(trainer, AdaptJob(adapt_command(blob, "left"), "answers/here", None))
        sampler, weights, found = await node._start_for(device)
        assert (sampler.plan.architecture, weights, found) == (narrow.architecture, sha256(blob).digest(), blob)
        node._on_run(RunState("r2", 1, 9, "training", "digits", "", bytes(32), 0, 1))
        with pytest.raises(ModelError, match="in its format yet"):
            await node._start_for(device)
        node._outbox.close()

    run(story())
