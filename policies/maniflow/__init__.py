"""ManiFlow policy: `policies.maniflow.policy:ManiFlowPolicy`. Importing it imports torch."""

from policies.maniflow.config import PRESETS, ManiFlowConfig
from policies.maniflow.policy import ManiFlowPolicy

__all__ = ["PRESETS", "ManiFlowConfig", "ManiFlowPolicy"]
