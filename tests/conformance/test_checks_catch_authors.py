"""The checks of what an author writes, of printing and of input fail on a class, or a framework, that does it wrong."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import pytest
from pydantic import Field, SecretStr

from modelport import LLM
from modelport.engine.hooks import Hook
from modelport.models.base import AuthoredModel
from modelport.values.errors import InputError

cuts = pytest.mark.cuts
_numbers = itertools.count()


class Documented(LLM):
    """Answers with the prompt."""

    size: int = Field(default=1, description="How much.")
    api_key: SecretStr = Field(default=SecretStr("sk-secret"), description="The key.")

    @property
    def _identifying_params(self) -> dict[Any, Any]:
        return {"model_name": "documented"}

    refuses: ClassVar[bool] = False

    def _call(self, prompt):
        if self.refuses and not prompt:
            raise IndexError
        return prompt


def identify(patch, params):
    patch.monkeypatch.setattr(Documented, "_identifying_params", property(lambda self: params()))


# --- checklist, printing --------------------------------------------------------------------------


@cuts("checklist:docs:class", make=Documented)
def test_a_class_without_a_docstring(patch, caught):
    patch.monkeypatch.setattr(Documented, "__doc__", None)
    caught()


@cuts("checklist:docs:arguments", make=Documented)
def test_a_field_without_a_docstring(patch, caught):
    patch.monkeypatch.setattr(Documented.model_fields["size"], "description", None)
    caught()


@cuts("checklist:secrets:typed", make=Documented)
def test_a_key_that_is_plain_text(patch, caught):
    patch.monkeypatch.setattr(Documented.model_fields["api_key"], "annotation", str | None)
    caught()


@cuts("printing:params:named", make=Documented)
def test_what_identifies_a_model_has_no_names(patch, caught):
    identify(patch, lambda: {1: "one"})
    caught()


@cuts("printing:params:told-apart", make=Documented)
def test_nothing_identifies_a_model(patch, caught):
    identify(patch, dict)
    caught()


@cuts("printing:params:steady", make=Documented)
def test_what_identifies_a_model_changes(patch, caught):
    identify(patch, lambda: {"model_name": f"documented {next(_numbers)}"})
    caught()


@cuts("printing:repr:fields", make=Documented)
def test_fields_are_not_shown(patch, caught):
    patch.method(AuthoredModel, "__repr_args__", lambda self: [])
    caught()


# --- input ----------------------------------------------------------------------------------------


def change_prompts(patch, change):
    def changed(self, model, argument, *rest, bind=Hook.bind):
        prompts = [change(one) for one in argument] if self.is_batch else change(argument)
        return bind(self, model, prompts, *rest)

    patch.method(Hook, "bind", changed)


@cuts("input:*:empty", "input:*:empty-answered", make=Documented)
def test_an_empty_prompt_is_refused(patch, caught):
    def refuse(prompt):
        if not prompt:
            raise InputError("the prompt is empty")
        return prompt

    change_prompts(patch, refuse)
    caught()


@cuts("input:*:empty-answered", make=Documented)
def test_a_hook_refuses_an_empty_prompt_without_a_word(patch, caught):
    patch.method(Documented, "refuses", True)
    caught()


@cuts("input:*:huge", hooks="_call")
@cuts("input:*:huge", hooks="_abatch")
def test_long_prompts_are_cut_off(patch, caught):
    change_prompts(patch, lambda prompt: prompt[:100_000])
    caught()


@cuts("input:*:odd-characters", hooks="_stream")
@cuts("input:*:odd-characters", hooks="_acall")
def test_prompts_are_stripped(patch, caught):
    change_prompts(patch, str.strip)
    caught()


@cuts("input:*:huge-answer", hooks="_call")
@cuts("input:*:huge-answer", hooks="_batch")
def test_long_answers_are_cut_off(patch, caught):
    def cut(self, *arguments, bind=Hook.bind):
        answer = bind(self, *arguments)
        return [one[:100_000] for one in answer] if self.is_batch else answer[:100_000]

    patch.method(Hook, "bind", cut)
    caught()


@cuts("input:*:not-changed", hooks="_call")
@cuts("input:*:not-changed", hooks="_astream")
def test_messages_are_changed_in_place(patch, caught):
    argument_of = LLM.argument_of

    def change(self, value):
        argument = argument_of(self, value)
        if isinstance(value, list):
            value.append({"role": "assistant", "content": argument})
        return argument

    patch.method(LLM, "argument_of", change)
    caught()
