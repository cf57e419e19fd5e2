"""Statements that examples need to use Django."""

from __future__ import annotations

import pytest

from extensions.reproduction.django_set_up import add_app_labels, create_table, needs_django


@pytest.mark.parametrize(
    ("steps", "needed"),
    [
        (["from django.db import models"], True),
        (["import django.forms"], True),
        (["import shop", "x = 'import django'"], False),
        (["import django", "django.setup()"], False),
        (["from django.conf import settings", "settings.configure()"], False),
        (["import djangorestframework"], False),
    ],
)
def test_django_is_set_up_where_the_example_does_not(steps: list[str], needed: bool) -> None:
    assert needs_django(steps) is needed


def test_models_belong_to_an_installed_application_and_have_tables() -> None:
    steps = [
        "class Base(models.Model):\n    class Meta:\n        abstract = True",
        "class Item(Base):\n    name = models.TextField()\n    class Meta:\n        ordering = ['name']",
        "class Part(Item):\n    pass",
        "class Own(models.Model):\n    class Meta:\n        app_label = 'mine'",
        "class Form(forms.Form):\n    pass",
        "x = 1",
    ]
    texts, tables = add_app_labels(steps)
    assert "ordering = ['name']\n        app_label = 'contenttypes'" in texts[1]
    assert texts[2] == "class Part(Item):\n\n    class Meta:\n        app_label = 'contenttypes'"
    assert texts[3].count("app_label") == 1
    assert texts[4:] == steps[4:]
    assert tables == {1: "Item", 2: "Part", 3: "Own"}
    compile(create_table("Item"), "x", "exec")


def test_model_inherits_meta_of_its_abstract_base() -> None:
    steps = ["class Base(models.Model):\n    class Meta:\n        abstract = True", "class Item(Base):\n    pass"]
    texts, tables = add_app_labels(steps)
    assert "app_label" in texts[0]
    assert texts[1] == steps[1]
    assert tables == {1: "Item"}


def test_text_of_a_field_is_no_option_of_the_model() -> None:
    field = "name = models.CharField(default='abstract = True')"
    assert add_app_labels([f"class Item(models.Model):\n    {field}"])[1] == {0: "Item"}
