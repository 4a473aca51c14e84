"""Execute the recorded actions of a run once more: the same states, bit for bit?

RUN is a folder, or the beginning or end of its name below --out. Exit status 0 where every state
of every episode came out as recorded, else 1. With --video the episodes are filmed on the way,
through any camera of the task: a run need not have been filmed to be looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tabulate import tabulate

from benchmark.commands.arguments import add_places, natural, workers
from benchmark.progress import note, progress
from benchmark.results import conditions
from benchmark.results.records import EpisodeRecord, find_run, read_records
from benchmark.verification.reexecution import (
    RecordedTask,
    Replayed,
    likely_causes,
    replay,
    stage,
    write_film,
)
from benchmark.verification.sample import summary
from envs import card
from envs.make import Workers
from envs.pool import Pool
from envs.schema import ManigymError

RESUME = "a replay keeps nothing but finished films; the same command starts over"
SHOWN = 5  # episodes that differ, in full
HEADERS = ("task", "episodes", "identical", "ended in an error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="e.g. runs/expert-0123456789ab")
    parser.add_argument("--env", nargs="+", metavar="ID", help="only these tasks")
    parser.add_argument(
        "--episodes", nargs="+", type=natural, metavar="N", help="only these (their indices)"
    )
    add_places(parser)
    parser.add_argument("--video", action="store_true", help="film them")
    parser.add_argument("--camera", metavar="NAME", help="of --video (default: as run films)")


def main(args: argparse.Namespace) -> int:
    if args.camera and not args.video:
        raise ManigymError(f"--camera {args.camera} is for --video; give both")
    run = find_run(args.out, args.run)
    records = _chosen(run, read_records(run), args)
    envs = list(dict.fromkeys(record.env for record in records))
    tasks = {env: RecordedTask.read(run, env) for env in envs}
    cameras = {env: _camera(task, args) for env, task in tasks.items()}
    rows, texts = [], []
    for env in envs:
        mine = [record for record in records if record.env == env]
        ran = [record for record in mine if record.status == "ok"]
        done, text = _replay_task(tasks[env], ran, workers(args), cameras[env]) if ran else ([], "")
        same = sum(one.identical for one in done)
        rows.append([env, len(done), same, len(mine) - len(ran)])
        texts += [text] if text else []
    print("\n\n".join([tabulate(rows, headers=HEADERS), *texts]))
    return 0 if all(replayed == same for _, replayed, same, _ in rows) else 1


def _camera(task: RecordedTask, args: argparse.Namespace) -> str | None:
    offered = card(task.env).film_cameras
    if args.camera and args.camera not in offered:
        raise ManigymError(
            f"{task.env} has no camera {args.camera!r}; it has: {', '.join(offered)}"
        )
    return (args.camera or task.film_camera) if args.video else None


def _chosen(
    run: Path, records: Sequence[EpisodeRecord], args: argparse.Namespace
) -> list[EpisodeRecord]:
    """Those that were asked for; one that there is not raises."""
    envs = list(dict.fromkeys(record.env for record in records))
    asked = [card(env_id).id for env_id in args.env or ()]
    absent = [env for env in asked if env not in envs]
    if not records:
        raise ManigymError(f"{run} holds no episodes yet; finish the run first")
    if absent:
        raise ManigymError(
            f"{run} holds no episodes of {', '.join(absent)}; it has those of: {', '.join(envs)}"
        )
    mine = [record for record in records if not asked or record.env in asked]
    indices = sorted({record.episode for record in mine})
    wrong = [n for n in args.episodes or () if n not in indices]
    if wrong:
        raise ManigymError(
            f"{run} has no episode {wrong[0]}; it has {len(indices)}: {indices[0]}..{indices[-1]}"
        )
    return [record for record in mine if not args.episodes or record.episode in args.episodes]


def _replay_task(
    task: RecordedTask, records: Sequence[EpisodeRecord], workers: Workers, camera: str | None
) -> tuple[list[Replayed], str]:
    """All episodes of a task, and what there is to say about them."""
    done: list[Replayed] = []
    films = []
    workers = workers.at_most(len(records))
    with (
        stage(task, workers, camera) as pool,
        progress(len(records), 0, task.env, "ep") as bar,
    ):
        for one in replay(pool, task, records, film=camera is not None):
            if one.film_problem:
                note(f"no film of episode {one.record.episode}: {one.film_problem}")
            elif camera is not None and one.frames:
                films.append(str(write_film(task, one, camera)))
            done.append(replace(one, frames=()))
            bar.update()
        different = [one for one in done if not one.identical]
        said = _differences(task, different, pool) if different else []
    return done, "\n".join([*said, *sorted(films)])


def _differences(task: RecordedTask, different: Sequence[Replayed], pool: Pool) -> list[str]:
    lines = [f"{task.env} {text}" for text in summary(different, shown=SHOWN)]
    ran = [one.record for one in different if one.ran]
    if not ran:
        return lines
    causes = likely_causes(task, ran, conditions.surroundings(pool))
    if causes:
        return [*lines, "The likely cause:", *(f"  {cause}" for cause in causes)]
    return [
        *lines,
        "Machine, versions and files are those recorded: either the run's files were changed, or "
        "the simulator does not repeat itself.",
    ]
