"""Methods without a learned start: each answers the queries of a task from its support set alone. Pure.

All see the numbers that the network sees. Logistic regression and the pooled classifier are scikit-learn's (extra
`comparison`), which is imported when it is used.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ToolError
from jaragua_models import Samples, Task
from jaragua_models.base import Features

Labels = NDArray[np.int64]

NO_SKLEARN: Final = "logistic regression and the pooled classifier need scikit-learn"
WITH_SKLEARN: Final = "pip install 'jaragua[comparison]'"


class Regression(NamedTuple):
    """How logistic regression is fitted. strength: C, the inverse strength of the regularisation.

    penalised: whether the intercept is regularised, too, as the weight of a further input that is always 1. This keeps
    the border between the classes near an input of 0, which in a table is the mean of the training devices' rows. With
    a free intercept the support set alone places the border.
    """

    strength: float
    penalised: bool = False


#: Of these the best on the held-out tasks is shown.
REGRESSIONS: Final = (
    *(Regression(strength) for strength in (1.0, 10.0, 100.0)),
    *(Regression(strength, penalised=True) for strength in (0.1, 1.0, 10.0)),
)
#: Of these where minutes may be spent: `make comparison`.
MORE_REGRESSIONS: Final = tuple(
    Regression(strength, penalised)
    for strength, penalised in itertools.product((0.01, 0.1, 1.0, 10.0, 100.0, 1000.0), (False, True))
)
#: C of the pooled classifier.
_STRENGTH: Final = 10.0
#: Training samples of the pooled classifier; of more, so many at even distances.
MOST_POOLED: Final = 5000
_TREES: Final = 100
_MOST_STEPS: Final = 500


def require_sklearn() -> None:
    """Raises: ToolError without scikit-learn."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ToolError(NO_SKLEARN, WITH_SKLEARN) from error


def nearest_neighbour(task: Task) -> NDArray[Any]:
    """The label (or target) of the support sample at the least Euclidean distance, for each query."""
    nearest: NDArray[Any] = task.support.y[_squared_distances(task.query.x, task.support.x).argmin(axis=1)]
    return nearest


def nearest_prototype(task: Task) -> Labels:
    """The label of the nearest class mean of the support set, for each query."""
    labels = np.unique(task.support.y)
    means = np.stack([task.support.x[task.support.y == label].mean(axis=0) for label in labels])
    nearest: Labels = labels[_squared_distances(task.query.x, means).argmin(axis=1)]
    return nearest


def logistic_regression(task: Task, how: Regression) -> Labels:
    """Multinomial logistic regression on the support set."""
    from sklearn.linear_model import LogisticRegression

    kind = LogisticRegression(C=how.strength, fit_intercept=not how.penalised, max_iter=_MOST_STEPS)
    if not how.penalised:
        return _answers(kind, task.support, task.query.x)
    return _answers(kind, Samples(_with_one(task.support.x), task.support.y), _with_one(task.query.x))


def mean_target(task: Task) -> NDArray[Any]:
    """Of a regression: the mean of the support set's targets, for each query."""
    return np.repeat(task.support.y.mean(axis=0, keepdims=True), len(task.query.x), axis=0)


class PooledClassifier:
    """One classifier of all training devices' data, which adapts to nobody: where labels are fixed.

    Of logistic regression and a forest of trees the one that is better in a three-fold validation on these data.
    """

    def __init__(self, samples: Samples) -> None:
        """samples: of all training devices."""
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression

        step = -(-len(samples) // MOST_POOLED)
        some = Samples(samples.x[::step], samples.y[::step])
        kinds = [
            LogisticRegression(C=_STRENGTH, max_iter=_MOST_STEPS),
            RandomForestClassifier(_TREES, random_state=0, n_jobs=1),
        ]
        self._chosen = max(kinds, key=lambda kind: _validated(kind, some))
        with _quiet():
            self._chosen.fit(some.x, some.y)

    def answers(self, task: Task) -> Labels:
        """For each query of a task."""
        found: Labels = self._chosen.predict(task.query.x)
        return found


def _validated(kind: Any, samples: Samples) -> float:
    """Accuracy on every third part of the samples, in their order (devices one after the other)."""
    from sklearn.base import clone

    thirds, right = np.array_split(np.arange(len(samples)), 3), 0
    for third in thirds:
        rest = np.setdiff1d(np.arange(len(samples)), third)
        if len(np.unique(samples.y[rest])) < 2:
            return 0.0
        answers = _answers(clone(kind), Samples(samples.x[rest], samples.y[rest]), samples.x[third])
        right += int(np.sum(answers == samples.y[third]))
    return right / len(samples)


def _answers(kind: Any, learnt: Samples, x: Features) -> Labels:
    with _quiet():
        found: Labels = kind.fit(learnt.x, learnt.y).predict(x)
    return found


def _with_one(x: Features) -> Features:
    """With a further input that is always 1."""
    return np.column_stack([x, np.ones(len(x), x.dtype)])


def _quiet() -> warnings.catch_warnings[None]:
    """Warnings of steps that did not suffice are nothing to a comparison."""
    return warnings.catch_warnings(action="ignore")


def _squared_distances(some: Features, others: Features) -> NDArray[np.float64]:
    """float64 [some, others]."""
    a, b = some.astype(np.float64), others.astype(np.float64)
    found: NDArray[np.float64] = (a * a).sum(axis=1)[:, None] - 2 * a @ b.T + (b * b).sum(axis=1)[None, :]
    return found
