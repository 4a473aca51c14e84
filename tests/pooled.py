"""Episodes through a pool, tried again until they are whole, and what was seen of them."""

from __future__ import annotations

import hashlib

import numpy as np

from envs.pool import Failure


def episodes(pool, seeds, chunk=3, n_obs=1):
    """Seed -> (hash of all that was seen, of all states); and the failures on the way.

    Every slot takes the next seed when its episode is over, one that failed is tried again.
    """
    waiting, running, found, failures = list(seeds), {}, {}, []

    def begin(slot):
        if waiting:
            running[slot] = (waiting.pop(0), hashlib.sha256(), [])
            pool.reset(slot, running[slot][0])

    for slot in range(pool.size):
        begin(slot)
    while running:
        for slot, answer in pool.wait():
            seed, digest, steps = running[slot]
            if isinstance(answer, Failure):
                failures.append(answer)
                waiting.append(seed)
                begin(slot)
                continue
            for observation in answer.observations:
                for key, value in observation.items():
                    digest.update(key.encode() + value.tobytes())
            steps += answer.rewards
            if answer.summary is not None:
                found[seed] = digest.hexdigest(), answer.summary.state_hash, tuple(steps)
                del running[slot]
                begin(slot)
            else:
                rng = np.random.default_rng((seed, len(steps)))
                shape = (chunk, pool.interface.action_size)
                pool.run(slot, rng.uniform(-1, 1, shape).astype(np.float32), n_obs)
    return found, failures
