"""From what ``run`` is asked for to evaluations, a run folder and rows.

A trainable policy without a checkpoint is trained first. Of several checkpoints the one with most
successes on *validation* start states is taken: test episodes choose nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.claim import claimed
from benchmark.engine.latency import LatencySettings, keep_profile
from benchmark.evaluate import Evaluation, evaluate, missing_episodes
from benchmark.pipeline import Recipe, trained
from benchmark.progress import note
from benchmark.results.leaderboard import append_row, drop_rows, written
from benchmark.results.provenance import config_hash
from benchmark.results.records import RunFolder, find_run
from benchmark.rows import row_of
from benchmark.stopping import StoppingRule, stopping_rule
from envs.make import Workers
from envs.seeds import Split
from policies.base import Policy, TrainablePolicy, inference_options


@dataclass(frozen=True)
class Request:
    """One run: a policy on some tasks.

    ``settings``: by section, parsed; ``overrides`` the same as text, and ``config_file``, for
    training. ``checkpoints``: none (train first), one, or several to choose from.
    """

    policy: str
    policy_class: type[Policy]
    envs: tuple[str, ...]
    settings: Mapping[str, Any]
    out: Path
    episodes: int = 50
    seed: int = 0
    split: Split = "test"
    workers: Workers = field(default_factory=Workers)
    checkpoints: tuple[Path, ...] = ()
    validation_episodes: int = 20
    demonstrations: int | None = None
    overrides: tuple[str, ...] = ()
    config_file: Path | None = None


@dataclass(frozen=True)
class Finished:
    """A run that is complete: its folder, its rows by task, and whether anything was new."""

    folder: Path
    rows: list[dict[str, str]]
    new: bool


def run(request: Request, overwrite: bool = False) -> Finished:
    """Evaluate what is missing and append the rows that are."""
    jobs = [evaluation(request, env_id) for env_id in request.envs]
    config = resolved(request, jobs)
    path = request.out / f"{request.policy}-{config_hash(config)}"
    with claimed(path):
        if overwrite and path.exists():
            drop_rows(request.out / "leaderboard.csv", path.name)
            shutil.rmtree(path)
        folder = RunFolder(path, config)
        if folder.mended:
            note(f"the last record was torn; {path / 'damaged.jsonl'} has what was left of it")
        jobs = [replace(job, stopping=_stopping(request, job.env, path)) for job in jobs]
        keep_profile(request.settings["latency"], path)
        return _run_in(folder, jobs, request.out / "leaderboard.csv")


def _stopping(request: Request, env_id: str, path: Path) -> StoppingRule | None:
    return stopping_rule(env_id, request.settings["run"], request.out, path)


def _run_in(folder: RunFolder, jobs: Sequence[Evaluation], board: Path) -> Finished:
    rows, new = [], False
    for job in jobs:
        per_hour = evaluate(job, folder) if missing_episodes(job, folder) else None
        row = row_of(job, folder, per_hour)
        found = written(board, row)
        if not found:
            append_row(board, row)
            found, new = written(board, row), True
        rows.append(found)
    return Finished(folder.path, rows, new)


def evaluation(request: Request, env_id: str) -> Evaluation:
    """One task of a request, with its policy ready to act."""
    checkpoint, selection = _checkpoint(request, env_id)
    settings, options = request.settings, request.settings["policy"]
    _locate_profile(settings["latency"], request.out)
    if not request.checkpoints:  # the others went into training
        options = inference_options(request.policy_class, options)
    return Evaluation(
        env=env_id,
        policy=request.policy_class.from_options(checkpoint, options),
        policy_name=request.policy,
        episodes=request.episodes,
        seed=request.seed,
        workers=request.workers,
        settings=settings["run"],
        env_options=settings["env"],
        checkpoint=checkpoint,
        selection=selection,
        split=request.split,
        latency=settings["latency"],
        perturb=settings["perturb"],
    )


def _locate_profile(latency: LatencySettings, out: Path) -> None:
    """``profile:RUN`` takes the short names of runs, as every command does."""
    kind, _, source = latency.delay.partition(":")
    if kind == "profile" and not Path(source).exists():
        latency.delay = f"profile:{find_run(out, source)}"


def _checkpoint(request: Request, env_id: str) -> tuple[Path | None, str]:
    """The weights to use and how they were chosen."""
    if len(request.checkpoints) > 1:
        return _selected(request, env_id)
    if request.checkpoints:
        return request.checkpoints[0], "given"
    if issubclass(request.policy_class, TrainablePolicy):
        return _trained(request, request.policy_class, env_id), "last of training"
    return None, ""


def _selected(request: Request, env_id: str) -> tuple[Path, str]:
    """Most successes on validation start states; of equals the first that was given."""
    rows = {}
    for checkpoint in request.checkpoints:
        trial = replace(
            request,
            envs=(env_id,),
            checkpoints=(checkpoint,),
            split="validation",
            episodes=request.validation_episodes,
            settings={
                **request.settings,
                "run": replace(
                    request.settings["run"], videos=0, stop_rate=None, stop_against=None
                ),
            },
        )
        (rows[checkpoint],) = run(trial).rows
    best = max(rows, key=lambda checkpoint: int(rows[checkpoint]["successes"]))
    count, episodes = len(rows), request.validation_episodes
    note(f"{env_id}: {best} is the best of {count} checkpoints on {episodes} validation episodes")
    return best, f"best of {count} on {episodes} validation episodes"


def _trained(request: Request, policy_class: type[TrainablePolicy], env_id: str) -> Path:
    note(f"no --checkpoint: {request.policy} is trained on {env_id} from expert demonstrations")
    # The same weights serve every way of running them.
    inference = tuple(f"policy.{key}=" for key in policy_class.inference_keys)
    recipe = Recipe(
        policy=request.policy,
        policy_class=policy_class,
        env=env_id,
        out=request.out,
        seed=request.seed,
        workers=request.workers,
        demonstrations=request.demonstrations,
        config_file=request.config_file,
        overrides=[s for s in request.overrides if not s.startswith(inference)],
    )
    checkpoint, existed = trained(recipe)
    note(f"{'found, trained before' if existed else 'trained'}: {checkpoint}")
    return checkpoint


def resolved(request: Request, jobs: Sequence[Evaluation]) -> dict[str, Any]:
    """What determines the results of a run; its folder is named after the hash."""
    settings = request.settings
    return {
        "policy": request.policy,
        "policy_options": settings["policy"],
        "seed": request.seed,
        "split": request.split,
        "execute": settings["run"].execute,
        "ensemble": settings["run"].ensemble,
        # Of a timing profile the content counts, not the place of the file.
        "latency": {**asdict(settings["latency"]), **jobs[0].delays.identity},
        "perturb": asdict(settings["perturb"]),
        "tasks": {job.env: job.resolved() for job in jobs},
    }
