"""The public API, which `docs/library.md` describes.

    from swe_agent import fix

    result = fix("total() ignores VAT", repo=".")

Each name is imported when it is first used, so `import swe_agent` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository as Repository
    from agent.config.settings import Settings as Settings
    from agent.config.settings import load_settings as load_settings
    from agent.engine.engine import Engine as Engine
    from agent.lifecycle.publication import solve as solve
    from agent.lifecycle.run_lifecycle import begin as begin
    from agent.lifecycle.run_lifecycle import reopen as reopen
    from agent.lifecycle.run_result import Result as Result
    from agent.run_state.progress_event import ProgressEvent as ProgressEvent
    from agent.version import __version__ as __version__
    from swe_agent import gym as gym
    from swe_agent.entry_point import main as main
    from swe_agent.library import Event as Event
    from swe_agent.library import FixOptions as FixOptions
    from swe_agent.library import FixRun as FixRun
    from swe_agent.library import fix as fix
    from swe_agent.library import start_fix as start_fix
    from trajectories.errors import SweAgentError as SweAgentError
    from trajectories.records import Issue as Issue
    from trajectories.records import Patch as Patch
    from trajectories.records import Step as Step
    from trajectories.trajectory import Trajectory as Trajectory
    from trajectories.verdict import Verdict as Verdict
else:  # hidden from type checkers, for which a `__getattr__` would define every name
    _MODULES = {
        "fix": "swe_agent.library",
        "start_fix": "swe_agent.library",
        "FixOptions": "swe_agent.library",
        "FixRun": "swe_agent.library",
        "Event": "swe_agent.library",
        "ProgressEvent": "agent.run_state.progress_event",
        "Result": "agent.lifecycle.run_result",
        "Issue": "trajectories.records",
        "Patch": "trajectories.records",
        "Step": "trajectories.records",
        "Verdict": "trajectories.verdict",
        "Trajectory": "trajectories.trajectory",
        "SweAgentError": "trajectories.errors",
        "Repository": "aci.repository.user_repository",
        "Settings": "agent.config.settings",
        "load_settings": "agent.config.settings",
        "Engine": "agent.engine.engine",
        "begin": "agent.lifecycle.run_lifecycle",
        "reopen": "agent.lifecycle.run_lifecycle",
        "solve": "agent.lifecycle.publication",
        "gym": "swe_agent",
        "main": "swe_agent.entry_point",
        "__version__": "agent.version",
    }
    __all__ = [*_MODULES]

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if _MODULES[name] == __name__:  # a module of this package
            return import_module(f"{__name__}.{name}")
        return getattr(import_module(_MODULES[name]), name)
