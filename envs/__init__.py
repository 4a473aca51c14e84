"""Manipulation tasks behind one schema: ``import envs`` registers every id with Gymnasium.

>>> import envs, gymnasium as gym
>>> env = gym.make("Toy/reach-v0", observations=("proprio", "state"))
>>> vec = envs.make_vec("Toy/reach-v0", num_envs=4)
"""

from envs.make import make_vec
from envs.registry import CARDS, SIMULATORS, card, installed, register_all

__all__ = ["CARDS", "SIMULATORS", "card", "installed", "make_vec"]

register_all()
