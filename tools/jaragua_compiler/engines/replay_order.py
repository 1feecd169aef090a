"""The order in which a device goes over its samples more than once while it holds only some of them. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def replay_order(samples: int, passes: int, replay_buffer_size: int = 0) -> npt.NDArray[np.intp]:
    """Indices into the samples, one for each training step, int [samples · passes].

    replay_buffer_size: how many a device holds, the one at hand included; 0: all, and a pass follows a pass. Else a
    sample is learned when it comes and `passes - 1` times more while it stays, evenly spread, the last time just before
    it makes
    room: visit k of sample i is at time i + floor(k (m - 1) / (passes - 1)), at each time the newer samples first,
    where m = min(replay_buffer_size, samples). So with two passes a buffer of all samples is a pass after a pass, and a
    buffer of one learns each sample twice as it comes. It is the replay of Lin ("Self-Improving Reactive Agents Based
    On Reinforcement Learning, Planning and Teaching", 1992) from a first-in-first-out buffer, without its lottery.
    """
    if replay_buffer_size == 0 or passes == 1:
        return np.tile(np.arange(samples), passes)
    lags = np.arange(passes) * (min(replay_buffer_size, samples) - 1) // (passes - 1)
    times = np.arange(samples)[:, None] + lags
    order = np.lexsort((np.broadcast_to(lags, times.shape).ravel(), times.ravel()))
    return np.repeat(np.arange(samples), passes)[order]
