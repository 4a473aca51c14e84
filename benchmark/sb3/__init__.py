"""Stable-Baselines3 as a learner on our environments; all that imports it is in this package."""
