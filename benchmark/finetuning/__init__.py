"""Reinforcement learning on top of a trained policy: PPO on the chain from noise to actions."""
