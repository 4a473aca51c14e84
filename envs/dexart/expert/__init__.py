"""Scripted experts with privileged access: one generator of commands per task."""
