"""The models of a run: loaded once, and again after their settings changed."""

from __future__ import annotations

import pytest

from agent.config.model_table import ModelTable
from agent.config.settings import Settings
from agent.conversation import model_roles
from agent.conversation.model_roles import RunModels


class FakeModel:
    def __init__(self, name):
        self.name, self.secrets = name, (f"key-of-{name}",)


@pytest.fixture
def loaded(monkeypatch):
    """The names of the models that were loaded, in order."""
    names = []

    def load(settings, name):
        names.append(name)
        return FakeModel(name)

    monkeypatch.setattr(model_roles, "chosen_model", load)
    return names


def test_model_is_loaded_once(loaded):
    models = RunModels(Settings(model="a/big"))
    assert models.named("a/big") is models.of_role("coder")
    assert loaded == ["a/big"]


def test_role_has_its_own_model_or_the_default(loaded):
    models = RunModels(Settings(model="a/big", roles={"critic": "a/small"}))
    assert (models.of_role("critic").name, models.of_role("analyst").name) == ("a/small", "a/big")


def test_models_are_kept_if_their_settings_are_the_same(loaded):
    models = RunModels(Settings(model="a/big"))
    first = models.named("a/big")
    models.change_settings(Settings(model="a/small"))
    assert (models.named("a/big"), models.of_role("coder").name) == (first, "a/small")


def test_keys_of_earlier_models_stay_secret(loaded):
    models = RunModels(Settings(model="a/big"))
    models.named("a/big")
    models.change_settings(Settings(model="a/small", models={"a/small": ModelTable(context=1000)}))
    assert models.loaded("a/big") is None
    models.named("a/small")
    assert models.secrets == ("key-of-a/big", "key-of-a/small")
