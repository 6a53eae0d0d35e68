"""Adapters: what is asked about objects of other frameworks, and when its module is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import modelport
from modelport import LLM, RunnableLambda
from modelport.registry.providers import unregister
from modelport.registry.sources import add_adapter
from modelport.values import foreign


class Parrot:
    """Is another framework's model."""

    def say(self, text: str) -> str:
        return text


Parrot.__module__ = "parrots.birds"


class OfParrot(LLM):
    """Is our model of it."""

    parrot: Any

    def _call(self, prompt: str) -> str:
        return self.parrot.say(prompt)


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An adapter for that framework."""
    module: Any = ModuleType("parrots_adapter")
    module.model_of = lambda value, fields: OfParrot(parrot=value, **fields)
    module.made_model = lambda cls, params: OfParrot(parrot=cls(), **params)
    module.step_of = lambda value: RunnableLambda(value.say)
    monkeypatch.setitem(sys.modules, "parrots_adapter", module)
    monkeypatch.setattr(foreign, "_MODULES", dict(foreign._MODULES))
    add_adapter("parrots", "parrots_adapter")
    yield module
    foreign._module_of.cache_clear()
    unregister("parrot")


@pytest.mark.parametrize("given", [Parrot, Parrot()])
@pytest.mark.usefixtures("adapter")
def test_another_frameworks_objects_and_classes_are_registered(given: Any) -> None:
    modelport.register("parrot", given, max_concurrency=2)
    answer: Any = modelport.text_completion(model="parrot/x", prompt="hi")
    assert answer.choices[0].text == "hi"


@pytest.mark.usefixtures("adapter")
def test_another_frameworks_objects_are_steps_of_a_pipe() -> None:
    parrot: Any = Parrot()
    assert (RunnableLambda(str.upper) | parrot).invoke("hi") == "HI"


def test_an_object_without_an_adapter_is_what_it_was() -> None:
    assert foreign.adapter_for(Parrot()) is None
    parrot: Any = Parrot()
    with pytest.raises(modelport.ModelportError, match="can be no step"):
        _ = RunnableLambda(str.upper) | parrot


def test_no_code_runs_inside_langchain_before_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, foreign.LANGCHAIN, raising=False)
    assert foreign.foreign_scope() is None
