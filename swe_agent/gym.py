"""Environments after Gymnasium's API, in which a program's own model solves instances with the agent's tools.

    env = swe_agent.gym.make(row)
    observation, info = env.reset()
    observation, reward, terminated, truncated, info = env.step(reply)

docs/gym.md describes them. They are in the extension lab.
"""

from __future__ import annotations

try:
    from extensions.lab.gym.environment import Action, Environment, Info, Observation
    from extensions.lab.gym.environment_creation import MakeOptions, make, make_tools, make_vec, register
    from extensions.lab.gym.vector_environment import VectorEnvironment
except ModuleNotFoundError as error:
    if (error.name or "").startswith("extensions"):
        raise ImportError("swe_agent.gym is in the extension lab, which is not installed.") from None
    raise

__all__ = [
    "Action",
    "Environment",
    "Info",
    "MakeOptions",
    "Observation",
    "VectorEnvironment",
    "make",
    "make_tools",
    "make_vec",
    "register",
]
