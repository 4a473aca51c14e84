"""Settings of the chain and the critic: the `policy.*` keys of `finetune`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from envs.schema import ManigymError
from policies.maniflow.chain import METHODS
from policies.maniflow.sampler import HOPS

VALUE_FEATURES = ("own", "encoder")

NATURAL_HOP = {"flow_sde": "instant", "flow_cps": "instant"}
"""These read a noise estimate off the instantaneous velocity. Others keep the step."""


@dataclass
class ChainConfig:
    """How actions get a density, and what the critic sees.

    `noise_method`: see `policies.maniflow.chain`; `noise_level` is RLinf's and Flow-GRPO's `a`;
    `noise_range`: standard deviations between which `flow_noise` learns. `num_inference_steps` and
    `hop` are stored in the fine-tuned policy, as is `n_action`: it acts as it was trained to.
    `value_features`: `own` is an encoder of the critic's own, started from the policy's; `encoder`
    is the policy's, detached. `freeze_encoder`: the policy's encoder keeps its weights.
    """

    noise_method: str = "flow_sde"
    noise_level: float = 0.5
    min_std: float = 0.05
    noise_range: tuple[float, float] = (0.08, 0.16)
    noise_hidden: list[int] = field(default_factory=lambda: [128, 64])
    num_inference_steps: int = 4
    hop: str | None = None
    n_action: int | None = None
    add_value_head: bool = True
    value_features: str = "own"
    value_hidden: list[int] = field(default_factory=lambda: [256, 256])
    freeze_encoder: bool = True

    def resolved(self) -> ChainConfig:
        """A copy with `hop` filled in and everything checked."""
        for name, value, known in (
            ("noise_method", self.noise_method, tuple(METHODS)),
            ("value_features", self.value_features, VALUE_FEATURES),
            ("hop", self.hop, (None, *HOPS)),
        ):
            if value not in known:
                names = ", ".join(str(k) for k in known if k)
                raise ManigymError(f"policy.{name} must be one of {names}; got {value!r}")
        self._check_numbers()
        return replace(self, hop=self.hop or NATURAL_HOP.get(self.noise_method, "step"))

    def _check_numbers(self) -> None:
        low, high = self.noise_range
        checks = (
            (self.noise_method != "flow_ode", "noise_method=flow_ode has no noise to learn from"),
            (0 < self.noise_level <= 1, f"noise_level must lie in (0, 1], got {self.noise_level}"),
            (self.min_std >= 0, f"min_std must be at least 0, got {self.min_std}"),
            (0 < low < high, f"noise_range must be two rising numbers above 0, got {low}, {high}"),
            (
                self.num_inference_steps >= 1,
                f"num_inference_steps must be at least 1, got {self.num_inference_steps}",
            ),
            (
                self.noise_method != "flow_cps" or self.num_inference_steps > 1,
                "noise_method=flow_cps has no noise in its last step: num_inference_steps must be "
                "at least 2",
            ),
        )
        for fine, problem in checks:
            if not fine:
                raise ManigymError(f"policy.{problem}")
