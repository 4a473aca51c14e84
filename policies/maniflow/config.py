"""Configuration of the ManiFlow policy: plain values, settable as `policy.KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from envs.schema import ManigymError
from policies.base import PolicySpec
from policies.maniflow.encoders import INSTRUCTION, check_modalities
from policies.maniflow.frozen import PRECISIONS
from policies.maniflow.groups import check_heads
from policies.maniflow.language import chosen_language
from policies.maniflow.objective import Objective
from policies.maniflow.sampler import HOPS
from policies.maniflow.times import TimeSampling
from policies.statistics import SMALLEST_RANGE, check_modes

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # For low-dimensional observations on one or two CPU cores: 1.0 M parameters.
    "cpu_small": {"layers": 3, "width": 96, "heads": 4, "state_size": 96, "dropout": 0.0},
    # ManiFlow's baseline (180 M with point clouds) and the size its configs call the largest
    # (936 M): geyan21/ManiFlow_Policy, `config/maniflow_pointcloud_policy_robotwin.yaml`.
    # Train them with horizon=16 n_action=15, or horizon=4 n_action=3 on Adroit, as upstream.
    "base": {"layers": 12, "width": 768, "heads": 8, "state_size": 192, "dropout": 0.1},
    "large": {"layers": 28, "width": 1152, "heads": 16, "state_size": 192, "dropout": 0.1},
}

INFERENCE_KEYS = (
    *("num_inference_steps", "hop", "n_action"),
    *("rows_per_call", "device", "threads", "precision", "compile"),
)
"""What may be changed on a trained policy."""

COUNTS = (
    *("n_obs", "horizon", "n_action", "num_inference_steps", "threads"),
    *("layers", "width", "heads", "state_size", "points", "denoise_timesteps"),
)
"""Settings that are whole numbers of at least 1."""

RANGES = (
    ("dropout", 0.0, 0.99),
    ("observation_limit", 1.0, float("inf")),
    ("range_floor", 1e-12, float("inf")),
)
"""Settings that are numbers, with the least and the most they can be."""


@dataclass
class ManiFlowConfig:
    """Everything that shapes the policy. `None` takes the value of the preset.

    Upstream's names and values unless said: geyan21/ManiFlow_Policy, `maniflow/config/*.yaml`.
    """

    preset: str = "cpu_small"
    # Modalities asked of the environment; they choose the encoder.
    observations: list[str] = field(default_factory=lambda: ["proprio", "state"])
    # Options of the environment; None keeps those of its task card. Size is (height, width).
    cameras: list[str] | None = None
    image_size: list[int] | None = None
    num_points: int | None = None
    # Steps observed (O), predicted (H) and executed (K <= H - O + 1).
    n_obs: int = 2
    horizon: int = 10
    n_action: int = 8
    # Euler steps of one call; their second time input is the length of a step ("step") or zero
    # ("instant", what fine-tuning with flow_sde needs).
    # Rows the network always sees at once: fewer are filled up. Where a row's bits depend on the
    # size of its batch (a GPU, several threads), a fixed size lets episodes share a call all the
    # same. Another size rounds differently; None is as many as asked.
    num_inference_steps: int = 10
    hop: str = "step"
    rows_per_call: int | None = None
    # Where a trained policy runs: "auto" is the GPU where there is one.
    device: str = "auto"
    # Torch threads of a CPU: with one, the bits do not depend on the number of cores, and a small
    # network is faster. Raise it for a large one.
    threads: int = 1
    # How a trained network computes: "bfloat16" is faster and rounds (policies.maniflow.frozen says
    # how much). `compile` runs a step through torch.compile, on a GPU as one CUDA graph.
    precision: str = "float32"
    compile: bool = False
    # Network.
    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    dropout: float | None = None
    state_size: int | None = None
    time_size: int = 128
    qkv_bias: bool = True
    qk_norm: bool = True
    # Point clouds: tokens per step, and whether to use colours.
    points: int = 128
    point_colors: bool = False
    augment: bool = True
    # What stands for an instruction (policies.maniflow.language): "hashed" words, a text encoder of
    # Hugging Face by name or folder, or "auto", all-MiniLM-L6-v2 if on this machine, else hashed.
    language: str = "auto"
    # "groups": every action group has an output head of its own, and the loss is the mean over
    # groups of their means, weighted by group_weights (1 by default), e.g. {"base": 2.0}. In a
    # "joint" mean an arm of seven joints counts seven times as much as its gripper.
    action_heads: str = "joint"
    group_weights: dict[str, float] = field(default_factory=dict)
    # Objective. consistency_ratio=0 is plain flow matching.
    consistency_ratio: float = 0.25
    flow_time: str = "beta"
    consistency_time: str = "discrete"
    target: str = "relative"
    denoise_timesteps: int = 10
    # Low-dimensional observations are cut to this many times the range of the demonstrations: a
    # dimension that hardly varied there (the tilt of a cube) can be hundreds of times larger later.
    observation_limit: float = 3.0
    # Normalisation of single keys and action groups, e.g. {"action": "quantiles", "action/base":
    # "identity"}; the others take "limits" (policies.statistics). Dimensions that range over less
    # than range_floor are only shifted: stretched to [-1, 1] they would be targets made of noise.
    normalization: dict[str, str] = field(default_factory=dict)
    range_floor: float = SMALLEST_RANGE
    init_seed: int = 0

    def resolved(self) -> ManiFlowConfig:
        """A copy with the preset's values filled in and everything checked."""
        if self.preset not in PRESETS:
            raise ManigymError(
                f"policy.preset must be one of {', '.join(PRESETS)}; got {self.preset!r}"
            )
        preset = PRESETS[self.preset]
        filled = replace(self, **{k: v for k, v in preset.items() if getattr(self, k) is None})
        filled.check()
        if INSTRUCTION in filled.observations:
            filled.language = chosen_language(filled.language)
        return filled

    def check(self) -> None:
        """Raise for values that cannot work together."""
        check_modalities(self.observations)
        check_modes(self.normalization)
        check_heads(self.action_heads, self.group_weights)
        given = COUNTS if self.rows_per_call is None else (*COUNTS, "rows_per_call")
        for name in given:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ManigymError(
                    f"policy.{name} must be a whole number of at least 1, got {value!r}"
                )
        for name, low, high in RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ManigymError(f"policy.{name} must be in {low} .. {high}, got {value!r}")
        for name, known in (("hop", HOPS), ("precision", PRECISIONS)):
            value = getattr(self, name)
            if value not in known:
                raise ManigymError(
                    f"policy.{name} must be one of {', '.join(known)}; got {value!r}"
                )
        most = self.horizon - self.n_obs + 1
        if self.n_action > most:
            raise ManigymError(
                f"policy.n_action={self.n_action} does not fit: of horizon={self.horizon} "
                f"predicted steps the first {self.n_obs - 1} are past (n_obs={self.n_obs}), so at "
                f"most {most} can be executed. Lower n_action or raise horizon to "
                f"{self.n_action + self.n_obs - 1}"
            )
        try:
            self.objective()
        except ValueError as error:
            raise ManigymError(f"policy.{error}") from None

    def objective(self) -> Objective:
        """The training objective these values describe."""
        return Objective(
            self.consistency_ratio,
            self.flow_time,
            self.consistency_time,
            self.target,
            TimeSampling(divisions=self.denoise_timesteps),
        )

    def spec(self) -> PolicySpec:
        """What to ask of the environment."""
        wanted = {
            "cameras": self.cameras,
            "image_size": self.image_size,
            "num_points": self.num_points,
        }
        options = {key: value for key, value in wanted.items() if value is not None}
        return PolicySpec(tuple(self.observations), self.n_obs, self.n_action, options)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ManiFlowConfig:
        """From the values of a checkpoint; a key this version does not know is an error."""
        unknown = sorted(set(data) - {f.name for f in fields(cls)})
        if unknown:
            raise ManigymError(
                f"the checkpoint has settings this version does not know: {', '.join(unknown)}; "
                "use the version that wrote it, or train anew"
            )
        return cls(**data)
