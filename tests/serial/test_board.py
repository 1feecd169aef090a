"""L4: the requests of `Board` against the firmware itself, native and on the emulated Cortex-M4."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from jaragua import __version__
from jaragua.emulate import EmulatedBoard
from jaragua.serial import Board, BoardEvent, BoardRefused, BoardRestarted, BoardSilent, Logged, SessionEnded
from jaragua.serial.patience import Patience
from jaragua.wire.definitions import MAX_PAYLOAD_BYTES, FrameType, JobPhase, ResetCause, Status
from jaragua.wire.link.frames import DELIMITER, unpack
from jaragua.wire.link.noise import Noise
from jaragua.wire.messages import Health, JobState, Progress
from limits import GENEROUS_S

Lesson = Any
OpenLine = Callable[[str, int], AbstractAsyncContextManager[Any]]


def data_offsets(carried: bytes) -> list[int]:
    """Where in the blob each DATA begins that went down a line."""
    frames = [unpack(piece) for piece in carried.split(DELIMITER) if piece]
    starts = [frame.payload for frame in frames if frame.type == FrameType.DATA and frame.offset == 0]
    return [int.from_bytes(payload[:4], "little") for payload in starts]


async def until(condition: Callable[[], bool], timeout_s: float = 3 * GENEROUS_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


OpenNoisy = Callable[[EmulatedBoard, float], AbstractAsyncContextManager[Board]]


@pytest.fixture
def open_noisy(open_line: OpenLine, seed: int) -> OpenNoisy:
    """A board behind a line that damages, drops and doubles so many bytes of each direction, as a fraction."""

    @asynccontextmanager
    async def opened(board: EmulatedBoard, spoiled: float) -> AsyncIterator[Board]:
        async with open_line(board.url, seed) as line:
            line.noise = Noise(line.rng, spoiled)
            async with Board(line.url) as behind:
                yield behind

    return opened


def test_l4_1_identify_says_what_the_board_is(emulated: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(emulated.url) as board:
            identity = board.identity
            assert identity.uid == emulated.uid
            assert identity.firmware == __version__
            assert identity.architecture == lesson.plan.architecture
            assert identity.blob_bytes == len(lesson.blob)
            assert (identity.staged, identity.working) == (b"", b"")

    asyncio.run(main())


def test_l4_3_a_lesson_gives_the_bits_of_the_reference(emulated: EmulatedBoard, lesson: Lesson) -> None:
    """Upload, train, read the update, infer and evaluate: every figure and every bit (L4.2, L4.4, L4.6, L4.7)."""

    async def main() -> None:
        async with Board(emulated.url) as board:
            sha256 = await board.upload(lesson.blob)
            state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            update = await board.read_update(state)
            outputs = await board.infer(board.new_job(), lesson.samples)
            evaluated = await board.evaluate(board.new_job(), lesson.samples)
            identity = await board.identify()
        blob, correct, loss_sum = lesson.trained()
        assert update == blob
        assert (state.state, state.done, state.correct, state.loss_sum) == (JobPhase.DONE, 40, correct, loss_sum)
        assert (evaluated.correct, evaluated.loss_sum) == lesson.evaluated(blob)
        engine = lesson.engine(blob)
        assert np.array_equal(outputs, [engine.forward(x) for x in lesson.inputs])
        assert (identity.staged, identity.working) == (sha256, hashlib.sha256(update).digest())

    asyncio.run(main())


def test_l4_2_a_blob_the_board_has_is_not_sent_again(native_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            await board.upload(lesson.blob)
            sent_bytes = board.counters.bytes_out
            await board.upload(lesson.blob)
            assert board.counters.bytes_out - sent_bytes < 200

    asyncio.run(main())


def test_l4_2_a_broken_upload_goes_on_where_it_broke_off(
    emulated: EmulatedBoard, lesson: Lesson, open_line: OpenLine, seed: int
) -> None:
    async def main() -> None:
        async with open_line(emulated.url, seed) as line:
            async with Board(line.url) as board:
                line.cut_after(len(lesson.blob) // 2)
                upload = asyncio.create_task(board.upload(lesson.blob))
                await until(lambda: line.cut)
                upload.cancel()
                await asyncio.wait([upload])
            line.mend()
            async with Board(line.url) as board:
                await board.upload(lesson.blob)
                assert min(data_offsets(line.carried)) > 0
                assert (await board.identify()).staged == hashlib.sha256(lesson.blob).digest()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda blob: blob[:-4], Status.BAD_SIZE),
        (lambda blob: b"XXXX" + blob[4:], None),
        (lambda blob: blob[:8] + bytes(8) + blob[16:], None),
    ],
)
def test_l4_2_a_blob_that_is_none_is_refused_by_name(
    native_board: EmulatedBoard, lesson: Lesson, spoil: Callable[[bytes], bytes], status: int | None
) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            with pytest.raises(BoardRefused) as caught:
                await board.upload(spoil(lesson.blob))
            assert status in (None, caught.value.status)
            assert caught.value.hint
            await board.upload(lesson.blob)

    asyncio.run(main())


def test_l4_3_one_download_serves_many_jobs_from_the_same_start(native_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            for _ in range(2):
                state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
                assert await board.read_update(state) == lesson.trained()[0]
            state = await board.train(board.new_job(), lesson.samples, lesson.rate)
            assert await board.read_update(state) == lesson.trained(lesson.trained()[0])[0]

    asyncio.run(main())


def test_l4_3_inference_goes_on_during_a_download(
    native_board: EmulatedBoard, lesson: Lesson, other_lesson: Lesson
) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            before = await board.infer(board.new_job(), lesson.samples, lesson.blob)
            await board.upload(other_lesson.blob)
            assert np.array_equal(await board.infer(board.new_job(), lesson.samples), before)

    asyncio.run(main())


def test_l4_5_a_repeated_job_is_answered_and_not_trained_twice(emulated: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(emulated.url) as board:
            job = board.new_job()
            first = await board.train(job, lesson.samples, lesson.rate, lesson.blob)
            again = await board.train(job, lesson.samples, lesson.rate, lesson.blob)
            assert again.blob_crc == first.blob_crc == zlib.crc32(lesson.trained()[0])
        async with Board(emulated.url) as board:
            again = await board.train(job, lesson.samples, lesson.rate, lesson.blob)
            assert (again.blob_crc, again.done) == (first.blob_crc, first.done)
            assert await board.read_update(again) == lesson.trained()[0]

    asyncio.run(main())


def test_l4_5_a_job_that_a_broken_link_interrupted_goes_on(
    emulated: EmulatedBoard, lesson: Lesson, open_line: OpenLine, seed: int
) -> None:
    async def main() -> None:
        async with open_line(emulated.url, seed) as line:
            async with Board(line.url) as board:
                await board.upload(lesson.blob)
                line.cut_after(2000)
                job = board.new_job()
                training = asyncio.create_task(board.train(job, lesson.samples, lesson.rate, lesson.blob))
                await until(lambda: line.cut)
                training.cancel()
                await asyncio.wait([training])
            line.mend()
            async with Board(line.url) as board:
                state = await board.train(job, lesson.samples, lesson.rate, lesson.blob)
                assert state.done == len(lesson.samples)
                assert await board.read_update(state) == lesson.trained()[0]

    asyncio.run(main())


def test_l4_5_a_reboot_in_mid_job_is_noticed_and_the_job_begun_again(
    emulated: EmulatedBoard, lesson: Lesson, open_line: OpenLine, seed: int
) -> None:
    events: list[BoardEvent] = []

    async def main() -> None:
        async with open_line(emulated.url, seed) as line, Board(line.url, events.append) as board:
            await board.upload(lesson.blob)
            line.cut_after(2000)
            training = asyncio.create_task(board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob))
            await until(lambda: line.cut)
            emulated.restart()
            await line.plug(emulated.url)
            line.mend()
            state = await training
            assert await board.read_update(state) == lesson.trained()[0]

    asyncio.run(main())
    assert SessionEnded(ResetCause.POWER_ON) in events


def test_l4_5_weights_that_a_reboot_has_erased_are_told(
    native_board: EmulatedBoard, lesson: Lesson, open_line: OpenLine, seed: int
) -> None:
    async def main() -> None:
        async with open_line(native_board.url, seed) as line, Board(line.url) as board:
            state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            native_board.restart()
            await line.plug(native_board.url)
            with pytest.raises(BoardRestarted):
                await board.read_update(state)
            with pytest.raises(BoardRestarted):
                await board.evaluate(board.new_job(), lesson.samples)

    asyncio.run(main())


def test_l3_a_bad_line_gives_the_right_bits_all_the_same(
    emulated: EmulatedBoard, lesson: Lesson, open_line: OpenLine, seed: int
) -> None:
    async def main() -> None:
        async with open_line(emulated.url, seed) as line, Board(line.url) as board:
            line.damage, line.drop = 4e-4, 1e-4
            state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            update = await board.read_update(state)
            outputs = await board.infer(board.new_job(), lesson.samples, lesson.blob)
            health = await board.health()
            counters = board.counters
        assert update == lesson.trained()[0]
        engine = lesson.engine()
        assert np.array_equal(outputs, [engine.forward(x) for x in lesson.inputs])
        assert counters.retransmits + health.retransmits > 0
        assert counters.bad_crc + counters.bad_frames + health.bad_crc > 0

    asyncio.run(main())


def test_l3_8_one_percent_of_spoiled_bytes_gives_the_same_hash(
    emulated: EmulatedBoard, lesson: Lesson, open_noisy: OpenNoisy
) -> None:
    """A round of a fleet: upload, train, read back; bytes damaged, dropped and doubled in both directions."""

    async def main() -> None:
        async with open_noisy(emulated, 0.01) as board:
            state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            update = await board.read_update(state)
            assert hashlib.sha256(update).digest() == hashlib.sha256(lesson.trained()[0]).digest()
            assert board.segment_bytes < MAX_PAYLOAD_BYTES

    asyncio.run(main())


def test_l3_8_two_percent_still_make_progress(
    native_board: EmulatedBoard, lesson: Lesson, open_noisy: OpenNoisy
) -> None:
    async def main() -> None:
        async with open_noisy(native_board, 0.02) as board:
            upload = asyncio.create_task(board.upload(lesson.blob))
            await until(lambda: board.counters.delivered > 40 or upload.done(), 300)
            upload.cancel()
            await asyncio.wait([upload])

    asyncio.run(main())


def test_l4_4_a_label_the_network_does_not_have_is_refused(native_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        lesson.labels[7] = 10
        async with Board(native_board.url) as board:
            with pytest.raises(BoardRefused) as caught:
                await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            assert (caught.value.status, caught.value.detail) == (Status.BAD_SAMPLE, 7)

    asyncio.run(main())


def test_l4_4_a_rate_that_is_none_is_refused(native_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            with pytest.raises(BoardRefused, match="bad_rate"):
                await board.train(board.new_job(), lesson.samples, (1, 1), lesson.blob)

    asyncio.run(main())


def test_l4_7_an_update_of_another_job_is_not_taken_for_this_one(native_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            first = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            await board.train(board.new_job(), lesson.samples, lesson.rate)
            with pytest.raises(BoardRestarted):
                await board.read_update(first)

    asyncio.run(main())


def test_l4_8_health_and_progress_come_by_themselves(emulated: EmulatedBoard, lesson: Lesson) -> None:
    events: list[BoardEvent] = []

    async def main() -> JobState:
        async with Board(emulated.url, events.append) as board:
            state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            await until(lambda: any(isinstance(event, Health) for event in events))
            assert (await board.health()).frames_in > 0
            return state

    state = asyncio.run(main())
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.done for event in progress] == [16, 32, 40]
    assert (progress[-1].job, progress[-1].loss_sum, progress[-1].correct) == (state.job, state.loss_sum, state.correct)
    assert any(isinstance(event, Logged) and "verified" in event.text for event in events)


@pytest.mark.board
def test_l4_4_the_emulated_board_counts_instructions(qemu_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(qemu_board.url) as board:
            state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            assert 1000 < state.instructions < 50_000
            health = await board.health()
            assert 0 < health.stack_free_bytes < health.stack_bytes

    asyncio.run(main())


def test_cancel_ends_a_job(native_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            await board.cancel(board.new_job())
            state = await board.train(board.new_job(), lesson.samples, lesson.rate, lesson.blob)
            await board.cancel(state.job)
            assert await board.read_update(state) == lesson.trained()[0]

    asyncio.run(main())


def test_l3_3_a_line_that_is_cut_is_told_as_silence(
    native_board: EmulatedBoard, open_line: OpenLine, seed: int
) -> None:
    async def main() -> None:
        patience = Patience(greeting_s=60, silence_s=0.5, answer_s=60)
        async with open_line(native_board.url, seed) as line, Board(line.url, patience=patience) as board:
            line.cut = True
            with pytest.raises(BoardSilent):
                await board.health()

    asyncio.run(main())


def test_l4_10_more_answers_than_the_window_holds_all_come(native_board: EmulatedBoard, lesson: Lesson) -> None:
    """Every sample of an inference is answered: the board takes the next only when there is room for its answer."""

    async def main() -> None:
        async with Board(native_board.url) as board:
            outputs = await board.infer(board.new_job(), lesson.samples * 10, lesson.blob)
            assert board.counters.sessions == 1
        engine = lesson.engine()
        assert np.array_equal(outputs, [engine.forward(x) for x in lesson.inputs] * 10)

    asyncio.run(main())
