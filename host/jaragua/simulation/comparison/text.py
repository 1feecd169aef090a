"""A comparison in a few lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from jaragua.simulation.comparison.figures import Comparison, MethodFigures

_PENALISED = "regularised intercept"


def rows(found: Comparison) -> Iterator[tuple[str, str]]:
    """Each method with its figures, in words."""
    for method in found.methods:
        yield _named(method), _figures(found, method)


def verdict(found: Comparison) -> str:
    """Which is better, what was simulated or the best of the others, and by how much."""
    best = found.best_simple
    gap = found.gap(best)
    what = f"{found.learned.name} less the best simple method ({best.name})"
    if found.metric != "accuracy":
        return f"{what}: {gap.mean:+.4f} ± {gap.ci95:.4f}"
    return f"{what}: {100 * gap.mean:+.1f} ± {100 * gap.ci95:.1f} points"


def _named(method: MethodFigures) -> str:
    if not method.settings:
        return method.name
    return f"{method.name}, {', '.join(_setting(name, value) for name, value in method.settings.items())}"


def _setting(name: str, value: float) -> str:
    words = {"passes": f"{value:g} passes", "learning_rate": f"rate {value:.3g}", "intercept_penalty": _PENALISED}
    return words.get(name, f"{name} {value:g}")


def _figures(found: Comparison, method: MethodFigures) -> str:
    text = f"{method.score.mean:.4f} ± {method.score.ci95:.4f}"
    if method.balanced_accuracy and method.f1:
        text += f", balanced {method.balanced_accuracy.mean:.4f}, F1 {method.f1.mean:.4f}"
    return text + (f", {method.tasks} tasks" if method.tasks < found.tasks else "")


def lines(found: Comparison) -> list[str]:
    """A small table: the methods, what was left out, and the verdict."""
    about = f"{found.tasks} tasks" + (
        f" of {found.devices} held-out device{'s' * (found.devices != 1)}" if found.devices else ""
    )
    table = list(rows(found))
    width = max(len(name) for name, _ in table)
    body = [f"  {name:<{width}}  {figures}" for name, figures in table]
    return [f"the same {about} ({found.metric}):", *body, *found.missing, verdict(found)]
