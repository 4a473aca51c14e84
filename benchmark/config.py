"""Typed settings: dataclasses with defaults, a YAML file, ``section.key=value`` on top.

Unknown keys and values of the wrong type are errors that name the nearest key.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmark.statistics.intervals import INTERVALS
from envs.schema import ManigymError

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass
class RunSettings:
    """``run.*``: how chunks are executed (``engine.chunking``), what is kept and how it is counted.

    ``videos``: films of the first episodes. ``batch``: most episodes that share a call of the
    policy, where that keeps every bit (``engine.inference``). ``interval``: of ``INTERVALS``.
    ``stop_rate``: end a task as soon as its success rate is known to differ from this one;
    ``stop_against``: as soon as it is known to differ from an earlier run's on the same seeds.
    ``allow_unrepeatable``: run a policy whose answers depend on more than its episode.
    """

    execute: int | None = None
    ensemble: str | None = None
    videos: int = 2
    batch: int = 32
    interval: str = "wilson"
    confidence: float = 0.95
    stop_rate: float | None = None
    stop_against: str | None = None
    allow_unrepeatable: bool = False

    def __post_init__(self) -> None:
        at_least("run", self, {"videos": 0, "batch": 1})
        if self.interval not in INTERVALS:
            known = ", ".join(INTERVALS)
            raise ManigymError(f"run.interval must be one of {known}; got {self.interval!r}")
        if self.stop_rate is not None and self.stop_against is not None:
            raise ManigymError("run.stop_rate and run.stop_against are two rules; give one")
        for name in ("confidence", "stop_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ManigymError(f"run.{name} must lie between 0 and 1, got {value}")


@dataclass
class DataSettings:
    """``data.*``: which demonstrations train and which validate.

    Of the first ``episodes`` (all by default) ``val_fraction`` of the groups is held out, then
    ``max_train`` caps the rest: subsets are nested and validation never changes with the cap.
    ``in_memory`` copies the arrays to RAM instead of reading memory maps.
    """

    episodes: int | None = None
    split_seed: int = 0
    val_fraction: float = 0.1
    max_train: int | None = None
    in_memory: bool = True

    def __post_init__(self) -> None:
        at_least("data", self, {"episodes": 1, "max_train": 1})


@dataclass
class TrainingSettings:
    """``training.*``: behaviour cloning. Defaults suit the CPU-small presets.

    ``ema_power``: decay at step s is ``1 - (1 + s) ** -ema_power``, at most ``ema_max``.
    ``precision``: ``auto`` is bfloat16 on a GPU and float32 on a CPU. ``threads`` of a CPU: one
    gives the same weights whatever the number of cores and loses little on small networks; 0 is
    all cores. ``keep_every``: steps after which a checkpoint of its own is kept, to choose from.
    """

    steps: int = 2000
    batch_size: int = 128
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    gradient_clip: float = 1.0
    ema_power: float = 0.75
    ema_max: float = 0.9999
    validate_every: int = 500
    save_every: int = 500
    keep_every: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    threads: int = 1
    wandb: bool = False

    def __post_init__(self) -> None:
        often = ("validate_every", "save_every", "keep_every")
        counts = dict.fromkeys(("steps", "batch_size", *often), 1)
        lowest = dict.fromkeys(("warmup_steps", "weight_decay", "seed", "threads"), 0)
        at_least("training", self, counts | lowest)
        for name in ("learning_rate", "gradient_clip", "ema_power"):
            if not getattr(self, name) > 0:  # NaN is not either
                raise ManigymError(f"training.{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.ema_max < 1:
            raise ManigymError(f"training.ema_max must lie in [0, 1), got {self.ema_max}")
        if self.precision not in PRECISIONS:
            raise ManigymError(
                f"training.precision must be one of {', '.join(PRECISIONS)}; got {self.precision!r}"
            )


def at_least(section: str, settings: Any, lowest: Mapping[str, int]) -> None:
    """Raise for a number below its lowest sensible value; ``None`` (the default) passes."""
    for name, low in lowest.items():
        value = getattr(settings, name)
        if value is not None and not value >= low:
            raise ManigymError(f"{section}.{name} must be at least {low}, got {value}")


def parse(
    sections: Mapping[str, type[Any] | None], overrides: Sequence[str], file: Path | None = None
) -> dict[str, Any]:
    """Settings by section: a dataclass instance, or a plain dict where the schema is ``None``.

    Later sources win: defaults, ``file`` (YAML), ``overrides`` (``section.key=value``).
    """
    schema = {name: OmegaConf.structured(kind) if kind else {} for name, kind in sections.items()}
    config: Any = OmegaConf.create(schema)
    for source in _sources(overrides, file):
        _check_keys(config, source, [name for name, kind in sections.items() if kind is None])
        try:
            config = OmegaConf.merge(config, source)
        except OmegaConfBaseException as error:
            key, problem = error.full_key, str(error).splitlines()[0]
            listed = f"takes a list, written {key}=[A,B]" if "ListConfig" in problem else problem
            raise ManigymError(f"bad setting {key}: {listed}") from None
    if "observations" in config.get("env", {}):
        raise ManigymError(
            "env.observations is not for you to set: a policy asks for what it sees "
            "(policy.observations=[...]); for collect there is --observations"
        )
    return {name: OmegaConf.to_object(config[name]) for name in sections}


def resolved(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain nested data, for hashing and for ``config.yaml``."""
    return {
        k: asdict(v) if is_dataclass(v) and not isinstance(v, type) else v
        for k, v in settings.items()
    }


def _sources(overrides: Sequence[str], file: Path | None) -> list[DictConfig]:
    found = []
    if file is not None:
        try:
            loaded = OmegaConf.load(file)
        except FileNotFoundError:
            raise ManigymError(f"no configuration file at {file}") from None
        except Exception as error:  # yaml raises its own family
            raise ManigymError(f"{file} is not valid YAML: {error}") from None
        if not isinstance(loaded, DictConfig):
            raise ManigymError(
                f"{file} must hold sections of key: value, got a {type(loaded).__name__}"
            )
        found.append(loaded)
    bad = [o for o in overrides if "=" not in o or "." not in o.split("=")[0]]
    if bad:
        raise ManigymError(
            f"{bad[0]!r} is not a setting; write section.key=value, e.g. training.steps=2000"
        )
    return [*found, OmegaConf.from_dotlist(list(overrides))]


def _check_keys(config: Any, source: DictConfig, free: Sequence[str]) -> None:
    for section, values in source.items():
        if section not in config:
            raise ManigymError(_unknown("section", str(section), [str(s) for s in config]))
        if not isinstance(values, DictConfig):
            raise ManigymError(f"section {section!r} must hold key: value, got {values!r}")
        unknown = [str(key) for key in values if key not in config[section]]
        if unknown and section not in free:
            known = [str(key) for key in config[section]]
            raise ManigymError(_unknown(f"key in {section!r}", unknown[0], known))


def _unknown(what: str, got: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(got, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"unknown {what}: {got!r}{hint} Known: {', '.join(known)}"
