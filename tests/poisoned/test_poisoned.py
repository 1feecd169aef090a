"""Poisoned minorities: attacks, the harness, and what the recommended rule withstands (R21, G17)."""

from __future__ import annotations

import numpy as np
import pytest

from jaragua.experiments.poisoned import __main__ as command
from jaragua.experiments.poisoned.attacks import ATTACKS, HONEST, forged, spoiled
from jaragua.experiments.poisoned.measure import R17, RULES, UNCHECKED, Bench, Setup, attackers_of, simulation_of
from jaragua.experiments.poisoned.tried import TRIED, nearest_mixed
from jaragua.simulation import simulate
from jaragua.simulation.scheduling.draws import draw_round

CLIP = "clip 2"
RECOMMENDED = "clip 2, spectral 0.2"
SHORT = Setup("digits", rounds=40, tasks=20)


def test_attackers_follow_from_the_seed() -> None:
    places = [tuple(attackers_of(SHORT, seed).tolist()) for seed in range(20)]
    assert places == [tuple(attackers_of(SHORT, seed).tolist()) for seed in range(20)]
    assert all(len(set(one)) == 2 for one in places)
    assert len(set(places)) > 5


@pytest.mark.parametrize("name", [name for name, one in ATTACKS.items() if one.forge])
def test_attacks_change_updates_of_attackers_alone(name: str) -> None:
    learned = np.random.default_rng(3).normal(size=(10, 30))
    attackers = np.array([1, 6])
    arrived = forged(ATTACKS[name], learned, attackers, 5.0)
    honest = np.delete(learned, attackers, axis=0)
    np.testing.assert_array_equal(np.delete(arrived, attackers, axis=0), honest)
    wanted = {
        "sign-flip": -learned[attackers],
        "scale-10": 10 * learned[attackers],
        "scale-100": 100 * learned[attackers],
        "a-little": np.tile(honest.mean(axis=0) - 1.5 * honest.std(axis=0), (2, 1)),
        "a-little-hidden": np.tile(honest.mean(axis=0) - 0.5 * honest.std(axis=0), (2, 1)),
        "reversed": np.tile(-honest.mean(axis=0) * 4.95 / np.linalg.norm(honest.mean(axis=0)), (2, 1)),
    }
    np.testing.assert_allclose(arrived[attackers], wanted[name])


@pytest.mark.parametrize("name", [name for name, one in ATTACKS.items() if one.spoil])
def test_attacks_change_samples_of_attackers_alone(name: str) -> None:
    batch = draw_round(simulation_of(SHORT, R17, 1), 1).batch
    changed = spoiled(ATTACKS[name], batch, np.array([2, 9]), np.random.default_rng(5))
    differ = [
        not (np.array_equal(ours.x, theirs.x) and np.array_equal(ours.y, theirs.y))
        for ours, theirs in ((batch.part(k, k + 1), changed.part(k, k + 1)) for k in range(len(batch)))
    ]
    assert np.flatnonzero(differ).tolist() == [2, 9]
    for place in (2, 9):
        assert sorted(changed.part(place, place + 1).y) == sorted(batch.part(place, place + 1).y)


@pytest.mark.parametrize("rule", [R17, RECOMMENDED])
def test_without_attackers_it_is_the_simulation(rule: str) -> None:
    found = Bench(SHORT, 7).run(HONEST, rule)
    assert found.score == pytest.approx(simulate(simulation_of(SHORT, rule, 7), workers=1).after.mean, abs=1e-9)


def test_g17_the_recommended_rules_withstand_what_the_mean_does_not() -> None:
    cases = [("scale-100", CLIP), ("scale-100", RECOMMENDED), ("a-little", RECOMMENDED)]
    for seed in (1, 2):
        bench = Bench(Setup("digits", rounds=100, tasks=40), seed)
        honest = bench.run(HONEST, R17).score
        unchecked = {attack: honest - bench.run(attack, UNCHECKED).score for attack in ("scale-100", "a-little")}
        assert min(unchecked.values()) > 0.04, unchecked
        for attack, rule in cases:
            lost = honest - bench.run(attack, rule).score
            assert lost < 0.03, (seed, attack, rule, lost)


def test_r17_leaves_out_attackers_that_scale_and_no_honest_device() -> None:
    """G16."""
    found = Bench(SHORT, 1).run("scale-100", R17)
    assert (found.excluded_attackers, found.excluded_honest, found.stopped) == (1.0, 0.0, 0)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--rounds", "5", "--tasks", "5", "--seed", "1", "--seed", "2", "--attack", "sign-flip", "--scores"]
    assert command.main([*arguments, "--rule", R17, "--rule", RECOMMENDED]) == 0
    text = capsys.readouterr().out
    assert text.count("`sign-flip`") == 3
    assert "attackers left out" in text
    assert RECOMMENDED in RULES


@pytest.mark.parametrize("wrong", [("--seed", "1"), ("--attackers", "10"), ("--attackers", "0")])
def test_wrong_options_are_one_sentence(wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(list(wrong)) != 0
    assert len(capsys.readouterr().err.strip().splitlines()) <= 2


def test_a_tried_rule_leaves_out_devices_whose_past_is_on_one_side() -> None:
    """Each of their updates alone is nearer to the mean than honest ones; what is left is the mean of the others."""
    drawn = np.random.default_rng(1)
    rule = TRIED["history"]()
    for _ in range(40):
        updates = drawn.normal(size=(10, 50))
        updates[[3, 7]] = updates[[0, 1, 2, 4, 5, 6, 8, 9]].mean(axis=0) - 0.8
        used = rule(updates)
    assert np.allclose(used, np.delete(updates, [3, 7], axis=0).mean(axis=0))


def test_mixing_with_the_nearest_keeps_the_middle_and_moves_the_far() -> None:
    updates = np.array([[float(place)] for place in (0, 0, 0, 0, 0, 0, 0, 0, 100, 100)])
    mixed = nearest_mixed(updates)
    assert mixed[:8].tolist() == [[0.0]] * 8
    assert mixed[8:].tolist() == [[25.0]] * 2
