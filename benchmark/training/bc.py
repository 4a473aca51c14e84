"""Behaviour cloning: one loop, readable from top to bottom, that resumes exactly.

Every random number comes from (seed, step) streams or from generators saved with the run, so a run
that was interrupted and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmark.config import TrainingSettings
from benchmark.data.windows import Empty, Windows
from benchmark.machine import available_cores
from benchmark.progress import progress
from benchmark.training.feed import feed
from benchmark.training.metric_log import MetricLog
from envs.schema import ManigymError
from policies.base import TrainablePolicy
from policies.checkpoint import load_whole, save_whole
from policies.device import pick_device

LOG_EVERY = 50


@dataclass
class TrainState:
    """All that changes while training."""

    policy: TrainablePolicy
    teacher: torch.nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0

    def save(self, path: Path) -> None:
        content = {
            "module": self.policy.module.state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "step": self.step,
        }
        save_whole(path, content)

    def load(self, path: Path) -> None:
        content = load_whole(path)
        self.policy.module.load_state_dict(content["module"])
        self.teacher.load_state_dict(content["teacher"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"])
        torch.set_rng_state(content["torch_rng"])
        self.step = content["step"]


def fit(
    policy: TrainablePolicy,
    train: Windows,
    val: Windows | None,
    settings: TrainingSettings,
    folder: Path,
    record: Mapping[str, Any],
) -> Path:
    """Train ``policy`` and return ``folder/checkpoint.pt`` (the EMA weights).

    Continues from ``folder/resume.pt`` where there is one. ``record`` is stored in the checkpoint:
    what it was trained on and how.
    """
    device = pick_device(settings.device)
    state = begin(policy, settings, device)
    resume = folder / "resume.pt"
    if resume.exists():
        state.load(resume)
    log = MetricLog(folder, state.step, record, settings.wandb)
    checkpoint = folder / "checkpoint.pt"
    started = perf_counter()
    try:
        with (
            torch_threads(settings),
            progress(settings.steps, state.step, "train", "step") as bar,
            closing(updates(state, train, settings, device)) as steps,
        ):
            for metrics in steps:
                bar.update()
                last = state.step == settings.steps
                if state.step % LOG_EVERY == 0 or last:
                    log.write(state.step, seconds=perf_counter() - started, **metrics)
                    bar.set_postfix(loss=f"{metrics['loss']:.4f}", refresh=False)
                if val is not None and (state.step % settings.validate_every == 0 or last):
                    log.write(state.step, **validate(state, val, settings, device))
                if settings.keep_every and state.step % settings.keep_every == 0:
                    kept = folder / f"checkpoint-{state.step:06d}.pt"
                    _ema_policy(state).save(kept, {**record, "step": state.step})
                if state.step % settings.save_every == 0 and not last:
                    # In this order: a checkpoint without resume.pt beside it is a finished one.
                    state.save(resume)
                    _ema_policy(state).save(checkpoint, {**record, "step": state.step})
    finally:
        log.close()
    _ema_policy(state).save(checkpoint, {**record, "step": state.step})
    resume.unlink(missing_ok=True)
    return checkpoint


@contextmanager
def torch_threads(settings: TrainingSettings) -> Iterator[None]:
    """As many threads for torch as the settings ask for; the caller's number at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads or available_cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def begin(policy: TrainablePolicy, settings: TrainingSettings, device: torch.device) -> TrainState:
    """The state before the first step, with the network on ``device``."""
    torch.manual_seed(settings.seed)  # dropout has no generator of its own
    policy.module.to(device)
    teacher = copy.deepcopy(policy.module).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(
        policy.module.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )
    generator = torch.Generator(next(policy.module.parameters()).device)
    return TrainState(policy, teacher, optimizer, generator.manual_seed(settings.seed))


def updates(
    state: TrainState, train: Windows, settings: TrainingSettings, device: torch.device
) -> Generator[dict[str, float], None, None]:
    """Train ``state`` up to ``settings.steps``, one step for every metrics that are taken."""
    with feed(partial(_batches, train, settings, state.step), device) as batches:
        for batch in batches:
            metrics = _update(state, batch, settings, device)
            state.step += 1
            yield metrics


def _update(
    state: TrainState, batch: dict[str, Any], settings: TrainingSettings, device: torch.device
) -> dict[str, float]:
    rate = settings.learning_rate * schedule(state.step, settings)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.policy.module.train()
    with autocast(settings.precision, device):
        loss, metrics = state.policy.loss(batch, state.teacher, state.generator)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(state.policy.module.parameters(), settings.gradient_clip)
    if not math.isfinite(float(norm)):
        raise ManigymError(
            f"training diverged at step {state.step}: gradient norm {float(norm)}; "
            f"try training.learning_rate={settings.learning_rate / 3:.1e}"
        )
    state.optimizer.step()
    _update_ema(state, settings)
    return {
        "loss": float(loss.detach()),
        "gradient_norm": float(norm),
        "learning_rate": rate,
        **metrics,
    }


@torch.no_grad()
def _update_ema(state: TrainState, settings: TrainingSettings) -> None:
    """Decay of diffusion_policy's EMAModel (inv_gamma 1), one step earlier."""
    decay = min(1.0 - (1.0 + state.step) ** -settings.ema_power, settings.ema_max)
    ours: list[torch.Tensor] = list(state.teacher.parameters())
    theirs: list[torch.Tensor] = list(state.policy.module.parameters())
    torch._foreach_lerp_(ours, theirs, 1.0 - decay)
    for mine, source in zip(state.teacher.buffers(), state.policy.module.buffers(), strict=True):
        mine.copy_(source)


@torch.no_grad()
def validate(
    state: TrainState, val: Windows, settings: TrainingSettings, device: torch.device
) -> dict[str, float]:
    """Loss of the EMA weights on the validation windows, with the same noise every time."""
    policy = _ema_policy(state)
    generator = torch.Generator(device).manual_seed(settings.seed)
    total, count = 0.0, 0

    def epoch(empty: Empty) -> Iterator[dict[str, Any]]:
        return val.epoch(settings.seed, 0, settings.batch_size, empty=empty)

    with feed(epoch, device) as batches:
        for batch in batches:
            size = len(batch["action"])
            with autocast(settings.precision, device):
                loss, _ = policy.loss(batch, state.teacher, generator)
            total, count = total + float(loss) * size, count + size
    return {"validation_loss": total / count}


def schedule(step: int, settings: TrainingSettings) -> float:
    """Factor of the learning rate: linear warm-up, then cosine to zero."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def _batches(
    train: Windows, settings: TrainingSettings, step: int, empty: Empty = np.empty
) -> Iterator[dict[str, Any]]:
    """The batches of steps ``step``..: a function of (seed, step) alone."""
    size = min(settings.batch_size, len(train))
    per_epoch = train.num_batches(size, drop_last=True)
    while step < settings.steps:
        epoch, start = divmod(step, per_epoch)
        for batch in train.epoch(
            settings.seed, epoch, size, drop_last=True, start=start, empty=empty
        ):
            if step >= settings.steps:
                return
            yield batch
            step += 1


def _ema_policy(state: TrainState) -> TrainablePolicy:
    averaged = copy.copy(state.policy)
    averaged.module = state.teacher
    return averaged


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Mixed precision as ``training.precision`` asks for it."""
    if precision == "auto":
        precision = "bfloat16" if device.type == "cuda" else "float32"
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))
