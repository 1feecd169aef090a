"""Secure sums without a broker (docs/design/private-updates.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sums import RUN, Sum, key_of

from jaragua.privacy import lists, shamir
from jaragua.privacy.errors import SecureError
from jaragua.privacy.exchange import MAX_DEADLINES, Ask, Keep, TooFew
from jaragua.privacy.lists import Reader, Roster, threshold_of
from jaragua.privacy.opening import secrets_of
from jaragua.privacy.participant import Commitments, Participant, Stage
from jaragua.privacy.secrets import PublicKeys, Secrets
from jaragua.wire.rejections import Reason


def test_u1_4_masks_change_no_bit_of_the_sum(generator: np.random.Generator) -> None:
    """U4.2, U5.2: with all devices."""
    devices = Sum(7, generator)
    found = devices.play(devices.exchange())
    assert found is not None
    assert np.array_equal(found.total, devices.total(devices.numbers))
    assert found.survivors == tuple(devices.numbers)
    assert found.liars == ()


def test_u5_3_dropped_devices_are_not_in_the_sum(generator: np.random.Generator) -> None:
    """One drops out before its shares, one after them, one after its masked vector (U4.1, U5.1)."""

    def lost(device: str, stage: Stage) -> bool:
        return (
            device == "d000"
            or (device == "d003" and stage is not Stage.SHARES)
            or (device == "d005" and stage is Stage.OPENED)
        )

    devices = Sum(10, generator, lost=lost)
    found = devices.play(devices.exchange())
    assert found is not None
    survivors = sorted(set(devices.numbers) - {"d000", "d003"})
    assert found.survivors == tuple(survivors)
    assert np.array_equal(found.total, devices.total(survivors))


def test_u1_2_sums_wrap_at_their_words_and_no_sooner() -> None:
    """The largest sum that a run may have is right, with numbers of either sign; one more is another number."""
    generator = np.random.default_rng(0)
    devices = Sum(3, generator, wide=2, narrow=2)
    for numbers in devices.numbers.values():
        numbers[:] = [(2**31 - 2) // 3, -(2**31) // 3 + 1, -(2**31), 2**31 - 1]
    found = devices.play(devices.exchange())
    assert found is not None
    assert found.total.tolist() == [3 * ((2**31 - 2) // 3), 3 * (-(2**31) // 3 + 1), -3 * 2**31, 3 * (2**31 - 1)]
    assert devices.layout.signed(devices.layout.words(np.array([2**31, 0, 0, 0]))).tolist()[0] == -(2**31)


def test_u3_2_threshold_and_shares(generator: np.random.Generator) -> None:
    """Any t shares give the secret; t - 1 shares fit every secret."""
    assert [threshold_of(n) for n in (3, 4, 9, 10, 100)] == [3, 3, 7, 7, 67]
    secret, coefficients = (
        int.from_bytes(generator.bytes(32), "big"),
        [int(generator.integers(2**62)) for _ in range(3)],
    )
    shares = {place: shamir.share(secret, coefficients, place) for place in (2, 5, 7, 11, 40)}
    for missing in shares:
        assert shamir.combined({place: one for place, one in shares.items() if place != missing}) == secret
    other = (secret + 1) % shamir.PRIME
    three = {place: shares[place] for place in (2, 5, 7)}
    completing = shamir.value_at(11, three | {0: other})
    assert shamir.combined(three | {11: completing}) == other
    assert completing != shares[11]


def test_u2_1_answers_are_the_same_bytes_each_time(generator: np.random.Generator) -> None:
    """A killed node repeats what it said; another attempt has other keys (U7.3)."""
    secret = generator.bytes(32)
    first, again = (Participant(key_of("d000"), secret) for _ in range(2))
    assert first.announcement() == again.announcement()
    assert len(first.announcement()) == 96
    assert Participant(replace(key_of("d000"), attempt=2), secret).announcement() != first.announcement()
    devices = Sum(4, generator, noise=400)
    answers: dict[tuple[str, str], bytes] = {}

    def asked(ask: Ask) -> bytes:
        found = devices.participants[ask.device].answer(ask.stage, ask.body, devices.contribution(ask.device))
        restarted = Participant(key_of(ask.device), devices.participants[ask.device]._secrets._secret)
        assert restarted.answer(ask.stage, ask.body, devices.contribution(ask.device)) == found
        return answers.setdefault((ask.device, ask.stage), found)

    devices.answer = asked  # type: ignore[method-assign]
    assert devices.play(devices.exchange()) is not None
    assert len(answers) == 12


def test_u2_2_keys_say_nothing_of_secrets_but_their_public_parts(generator: np.random.Generator) -> None:
    secrets = Secrets(generator.bytes(32), key_of("d000"))
    assert PublicKeys.read(secrets.public.data) == secrets.public
    assert secrets.public.seed_hash == hashlib.sha256(secrets.seed).digest()
    assert secrets.seed not in secrets.public.data
    with pytest.raises(SecureError, match="keys of 95 bytes"):
        PublicKeys.read(secrets.public.data[:-1])


def test_u4_2_no_mask_is_used_twice(generator: np.random.Generator) -> None:
    """Of two rounds, and of two pairs of one round."""
    secrets = {name: generator.bytes(32) for name in ("d000", "d001", "d002")}

    def mask(one: str, other: str, number: int) -> bytes:
        own, theirs = (Secrets(secrets[name], replace(key_of(name), round=number)) for name in (one, other))
        return own.pair_mask(other, theirs.public)

    masks = {mask("d000", "d001", 1), mask("d000", "d001", 2), mask("d000", "d002", 1), mask("d001", "d002", 1)}
    assert len(masks) == 4
    assert mask("d000", "d001", 1) == mask("d001", "d000", 1)


def test_u3_3_shares_of_another_list_do_not_open(generator: np.random.Generator) -> None:
    """U6.3: devices that were given different lists notice, and name whose shares they are."""
    devices = Sum(4, generator)
    invented = Participant(key_of("e000"), generator.bytes(32)).announcement()
    other = Roster({one: devices.roster.keys(one) for one in devices.numbers} | {"e000": PublicKeys.read(invented)})
    sender = devices.participants["d001"]
    shares = sender.answer(Stage.SHARES, other.data, devices.contribution("d001"))
    place = other.others("d001").index("d000")
    sealed = shares[place * 82 : (place + 1) * 82]
    receiver = Secrets(devices.participants["d000"]._secrets._secret, key_of("d000"))
    receiver.open(sealed, "d001", devices.roster.keys("d001"), other.sha256)
    with pytest.raises(SecureError, match="shares of d001 do not open") as error:
        receiver.open(sealed, "d001", devices.roster.keys("d001"), devices.roster.sha256)
    assert error.value.reason is Reason.SECURE


def _lists(devices: Sum, included: list[str], device: str) -> bytes:
    """A question for a masked vector with shares that are right."""
    sealed = []
    for one in included:
        if one != device:
            shares = devices.participants[one].answer(Stage.SHARES, devices.roster.data, devices.contribution(one))
            place = devices.roster.others(one).index(device)
            sealed.append(shares[place * 82 : (place + 1) * 82])
    return devices.roster.data + lists.places(devices.roster, included) + b"".join(sealed)


def test_u6_1_a_second_list_is_refused_also_after_a_restart(generator: np.random.Generator) -> None:
    """A coordinator that lies about who is included, or about who survived, gets no second answer."""
    devices = Sum(6, generator)
    everyone = list(devices.numbers)
    own, contribution = devices.participants["d000"], devices.contribution("d000")
    own.answer(Stage.MASKED, _lists(devices, everyone, "d000"), contribution)
    done = own.done
    with pytest.raises(SecureError, match=r"another list of devices of this round .included"):
        own.answer(Stage.MASKED, _lists(devices, everyone[:5], "d000"), contribution)
    assert own.done == done
    body = _lists(devices, everyone, "d000")
    own.answer(Stage.OPENED, body + lists.places(devices.roster, everyone), contribution)
    restarted = Participant(key_of("d000"), own._secrets._secret, own.done)
    with pytest.raises(SecureError, match=r"another list of devices of this round .survivors"):
        restarted.answer(Stage.OPENED, body + lists.places(devices.roster, everyone[:5]), contribution)
    fresh = {one: Participant(key_of(one), generator.bytes(32)).announcement() for one in everyone if one != "d000"}
    other = Roster({one: PublicKeys.read(data) for one, data in fresh.items()} | {"d000": devices.roster.keys("d000")})
    with pytest.raises(SecureError, match=r"another list of devices of this round .roster"):
        restarted.answer(Stage.SHARES, other.data, contribution)


def _shuffled(roster: Roster) -> bytes:
    size = (len(roster.data) - 2) // len(roster)
    return roster.data[:2] + roster.data[2 + size :] + roster.data[2 : 2 + size]


Body = Callable[[Sum], bytes]
BAD_LISTS: dict[str, tuple[Stage, Body]] = {
    "cut off": (Stage.SHARES, lambda devices: devices.roster.data[:-1]),
    "bytes follow": (Stage.SHARES, lambda devices: devices.roster.data + b"\0"),
    "names in their order": (Stage.SHARES, lambda devices: _shuffled(devices.roster)),
    "sum of 2 devices": (Stage.SHARES, lambda devices: b"\x02\0" + devices.roster.data[2 : 2 + 2 * 101]),
    "has no d000": (
        Stage.SHARES,
        lambda devices: Roster({one: devices.roster.keys(one) for one in list(devices.numbers)[1:]}).data,
    ),
    "other keys of d000": (
        Stage.SHARES,
        lambda devices: Roster({one: devices.roster.keys("d001") for one in devices.numbers}).data,
    ),
    "list of 4 devices is shorter than 5": (
        Stage.MASKED,
        lambda devices: _lists(devices, list(devices.numbers)[:4], "d000"),
    ),
    "a list of devices has no d000": (
        Stage.MASKED,
        lambda devices: devices.roster.data + lists.places(devices.roster, list(devices.numbers)[1:]) + bytes(5 * 82),
    ),
    "not in the one before": (
        Stage.OPENED,
        lambda devices: (
            _lists(devices, list(devices.numbers)[:5], "d000")
            + lists.places(devices.roster, [*list(devices.numbers)[:4], "d005"])
        ),
    ),
    "not in order": (Stage.MASKED, lambda devices: devices.roster.data + b"\x02\0\x01\0\x01\0"),
    "not in the roster": (Stage.MASKED, lambda devices: devices.roster.data + b"\x02\0\x01\0\x63\0"),
    "do not open": (
        Stage.MASKED,
        lambda devices: devices.roster.data + lists.places(devices.roster, list(devices.numbers)) + bytes(5 * 82),
    ),
}


@pytest.mark.parametrize("why", BAD_LISTS)
def test_u6_2_a_list_that_cannot_be_is_refused(generator: np.random.Generator, why: str) -> None:
    """U6.3; nothing is written down of it."""
    devices = Sum(6, generator)
    stage, body = BAD_LISTS[why]
    own = devices.participants["d000"]
    with pytest.raises(SecureError, match=why):
        own.answer(stage, body(devices), devices.contribution("d000"))
    assert own.done == Commitments()


def test_p1_bytes_of_any_kind_are_no_defect(generator: np.random.Generator) -> None:
    """Damaged questions are refused by name."""
    devices = Sum(4, generator)
    body = bytearray(_lists(devices, list(devices.numbers), "d000"))
    refused = 0
    for _ in range(100):
        damaged = bytearray(body)
        for _ in range(int(generator.integers(1, 4))):
            damaged[int(generator.integers(len(damaged)))] = int(generator.integers(256))
        cut = bytes(damaged[: int(generator.integers(len(damaged) + 1))])
        for stage in Stage:
            own = Participant(key_of("d000"), devices.participants["d000"]._secrets._secret)
            try:
                own.answer(stage, cut, devices.contribution("d000"))
            except SecureError:
                refused += 1
    assert refused > 250  # a list with other keys of another device is one that might be


def test_u6_4_different_lists_give_no_second_secret() -> None:
    """Honest nodes answer once, so t of one secret and t of the other take 2t nodes, or a third that lie."""
    for count in range(3, 200):
        liars = count // 3
        assert 2 * threshold_of(count) > (count - liars) + 2 * liars


def test_u6_5_answers_that_nobody_asked_for_are_refused(generator: np.random.Generator) -> None:
    devices = Sum(4, generator)
    exchange = devices.exchange()
    exchange.start(0)
    for device, stage, content, why in (
        ("d000", "masked", b"", "nobody asked d000 for masked now"),
        ("e999", "sealed", b"", "nobody asked e999"),
        ("d000", "sealed", bytes(81), "81 bytes came, 246 are asked for"),
    ):
        with pytest.raises(SecureError, match=why):
            exchange.answer(device, stage, content, 0)
    assert len(exchange.answer("d000", "sealed", bytes(246), 0)) == 1
    assert exchange.answer("d000", "sealed", bytes(246), 0) == []


def test_u7_1_a_stage_without_enough_answers_ends_after_four_deadlines(generator: np.random.Generator) -> None:
    devices = Sum(5, generator)
    exchange = devices.exchange()
    exchange.start(0)
    now, ends = 0, 0
    while True:
        now = exchange.next_tick_ms()
        found = exchange.tick(now)
        ends += all(isinstance(one, Ask) for one in found) and len(found) == 5
        if any(isinstance(one, TooFew) for one in found):
            break
    assert now == MAX_DEADLINES * 1000
    assert isinstance(found[0], TooFew)
    assert "0 of the 4 answers (sealed)" in found[0].message
    assert found[0].missing == tuple(devices.numbers)


def test_u7_2_a_killed_coordinator_goes_on_with_what_it_kept(generator: np.random.Generator) -> None:
    """After every number of kept rows."""
    seeds = [generator.bytes(32) for _ in range(5)]
    left = {"d002"}

    def made() -> Sum:
        devices = Sum(5, np.random.default_rng(1), lost=lambda device, stage: device in left and stage is Stage.MASKED)
        for device, seed in zip(devices.numbers, seeds, strict=True):
            devices.participants[device] = Participant(key_of(device), seed)
        keys = {one: PublicKeys.read(each.announcement()) for one, each in devices.participants.items()}
        devices.roster = Roster(keys)
        return devices

    whole = made()
    expected = whole.play(whole.exchange())
    assert expected is not None
    for stop in range(1, len(whole.kept)):
        devices = made()
        assert devices.play(devices.exchange(), stop) is None
        found = devices.play(devices.exchange(list(devices.kept)))
        assert found is not None
        assert np.array_equal(found.total, expected.total)
        assert len(devices.kept) == len(whole.kept)


def test_u7_3_questions_are_repeated(generator: np.random.Generator) -> None:
    """A device that connects anew is asked again, unless it has answered."""
    devices = Sum(4, generator)
    exchange = devices.exchange()
    asks = exchange.start(0)
    assert exchange.connected("d001") == [asks[1]]
    content = devices.answer(asks[1])  # type: ignore[arg-type]
    assert content is not None
    (kept,) = exchange.answer("d001", "sealed", content, 10)
    assert isinstance(kept, Keep)
    assert exchange.connected("d001") == []
    assert exchange.connected("e999") == []


def test_u5_2_wrong_shares_are_found_and_named(generator: np.random.Generator) -> None:
    devices = Sum(6, generator, lost=lambda device, stage: device == "d005" and stage is not Stage.SHARES)
    exchange = devices.exchange()

    def lying(ask: Ask) -> bytes | None:
        content = Sum.answer(devices, ask)
        return bytes(len(content)) if content and ask.stage is Stage.OPENED and ask.device == "d001" else content

    devices.answer = lying  # type: ignore[method-assign]
    # Five answers of six devices, t = 5: with the wrong one nothing fits.
    with pytest.raises(SecureError, match="no secrets that fit the keys"):
        devices.play(exchange)
    more = Sum(9, generator)
    plain = more.answer
    more.answer = lambda ask: (  # type: ignore[method-assign]
        bytes(9 * 33) if ask.stage is Stage.OPENED and ask.device == "d001" else plain(ask)
    )
    found = more.play(more.exchange())
    assert found is not None
    assert np.array_equal(found.total, more.total(more.numbers))
    assert found.liars == ("d001",)


def test_u3_1_a_roster_has_three_devices_in_order(generator: np.random.Generator) -> None:
    devices = Sum(3, generator)
    assert Reader(devices.roster.data).roster().devices == ("d000", "d001", "d002")
    with pytest.raises(SecureError, match="a sum of 2 devices"):
        Roster({one: devices.roster.keys(one) for one in ("d000", "d001")})


def test_u4_3_a_masked_vector_is_uniform(generator: np.random.Generator) -> None:
    """χ² of the bytes of one device's vectors, whose update is all zeros; and of no update in clear."""
    devices = Sum(4, generator, narrow=20_000, wide=10)
    for numbers in devices.numbers.values():
        numbers[:] = 0
    devices.play(devices.exchange())
    content = next(one.content for one in devices.kept if (one.stage, one.device) == ("masked", "d002"))
    counts = np.bincount(np.frombuffer(content, np.uint8), minlength=256)
    expected = len(content) / 256
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    # 255 degrees of freedom: mean 255, standard deviation 22.6; beyond 8 of them once in 1e13.
    assert abs(chi_square - 255) < 8 * 22.6
    seed = devices.participants["d002"]._secrets.seed
    bare = devices.layout.minus(devices.layout.read(content), devices.layout.mask(seed))
    assert np.count_nonzero(bare) > 19_000, "without its own mask the pairwise masks are left"


def test_an_attempt_to_get_secrets_without_enough_answers_fails(generator: np.random.Generator) -> None:
    """U5.2: t - 1 answers are no set."""
    devices = Sum(4, generator)
    with pytest.raises(SecureError, match="no secrets"):
        secrets_of(devices.roster, list(devices.numbers), list(devices.numbers), {"d000": {}})
    assert key_of("d000").run == RUN
