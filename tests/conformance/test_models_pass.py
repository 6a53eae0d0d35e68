"""Every model that the framework makes whole passes every check of the kit."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import PrivateAttr, SecretStr

from modelport import LLM, CallbackManagerForLLMRun, ChatModel, GenerationChunk
from modelport.testing import (
    CheckResult,
    EchoChatModel,
    EchoLLM,
    ScriptedLLM,
    all_checks,
    arun_checks,
    checks_for,
    run_checks,
)

HOOKS = ("_call", "_acall", "_stream", "_astream", "_batch", "_abatch")
SUBSETS = [subset for size in range(1, 7) for subset in itertools.combinations(HOOKS, size)]
CHAT_SUBSETS = [(hook,) for hook in HOOKS] + [("_call", "_astream"), HOOKS]

passed_somewhere: set[str] = set()


class CustomLLM(LLM):
    """The guide's class."""

    n: int
    """The number of characters from the last message of the prompt to be echoed."""

    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        if stop is not None:
            raise ValueError("stop kwargs are not permitted.")
        return prompt[: self.n]

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        for char in prompt[: self.n]:
            chunk = GenerationChunk(text=char)
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": "CustomChatModel"}

    @property
    def _llm_type(self) -> str:
        return "custom"


class Secretive(LLM):
    """Has a key, gives it away wherever an author could, counts its own tokens, and loads first."""

    api_key: SecretStr
    """The key."""
    url: str
    """Where it is sent; holds the key too."""
    _weights: str = PrivateAttr("")

    def _load(self) -> None:
        self._weights = "weights"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "secretive", "key": self.api_key.get_secret_value(), "url": self.url}

    def _count_tokens(self, text: str) -> int:
        return len(text.split())

    def _stream(self, prompt: str) -> Iterator[str]:
        assert self._weights
        yield from prompt


class Pinned(ChatModel):
    """Has a client that is bound to one loop."""

    single_loop = True

    async def _astream(self, messages):
        yield messages[-1].text


class Capable(LLM):
    """Does everything that it is asked by itself: n, max_tokens, stop, usage."""

    supports = frozenset({"n"})
    max_concurrency: int | None = 8

    def _call(self, prompt, stop=None, run_manager: Any = None, max_tokens=None, **kwargs):
        run_manager.report_usage(prompt_tokens=3, completion_tokens=4)
        cuts = [prompt.find(one) for one in stop or () if one in prompt]
        return prompt[: min(cuts)] if cuts else prompt


MODELS: dict[str, Callable[[], Any]] = {
    "the guide's": lambda: CustomLLM(n=5),
    "secretive": lambda: Secretive(api_key=SecretStr("sk-secret"), url="http://sk-secret@host"),
    "pinned": Pinned,
    "capable": Capable,
    "EchoLLM": EchoLLM,
    "EchoChatModel": lambda: EchoChatModel(size=3),
    "ScriptedLLM": lambda: ScriptedLLM(answers=["one two", ["three ", "four"], "five"]),
}


def assert_all_pass(results: list[CheckResult]) -> None:
    failures = {result.id: result.seen for result in results if result.outcome == "fail"}
    assert failures == {}
    passed = {result.id for result in results if result.outcome == "pass"}
    assert len(passed) > 150
    passed_somewhere.update(passed)


@pytest.mark.parametrize("hooks", SUBSETS, ids="+".join)
async def test_a_text_model_with_any_hooks_keeps_every_guarantee(hooks, echo_class):
    assert_all_pass(await arun_checks(echo_class(hooks)))


@pytest.mark.parametrize("hooks", CHAT_SUBSETS, ids="+".join)
async def test_a_chat_model_with_any_hooks_keeps_every_guarantee(hooks, echo_class):
    assert_all_pass(await arun_checks(echo_class(hooks, chat=True)))


@pytest.mark.parametrize("name", MODELS)
async def test_a_model_keeps_every_guarantee(name):
    assert_all_pass(await arun_checks(MODELS[name]))


@pytest.mark.parametrize("hooks", SUBSETS, ids="+".join)
async def test_all_six_ways_to_call_give_the_same_text(hooks, echo_class):
    model, prompt = echo_class(hooks)(), "Grüße, 世界!"
    assert model.invoke(prompt) == prompt
    assert await model.ainvoke(prompt) == prompt
    assert "".join(model.stream(prompt)) == prompt
    assert "".join([piece async for piece in model.astream(prompt)]) == prompt
    assert model.batch([prompt, "b"]) == [prompt, "b"]
    assert await model.abatch([prompt, "b"]) == [prompt, "b"]


def test_there_are_63_sets_of_hooks():
    assert len(set(SUBSETS)) == 63


def test_the_kit_runs_without_a_loop():
    results = run_checks(EchoLLM, ids=["parity:ainvoke:same-text", "stop:stream:across-chunks"])
    assert [result.outcome for result in results] == ["pass", "pass"]


def test_checks_say_what_they_are_about():
    for one in all_checks():
        assert one.sentence.endswith(".")
        assert "{way}" not in one.sentence
        assert one.source.startswith(("modelport", "custom LLM guide"))


def test_checks_for_a_model_leave_out_what_does_not_apply():
    ids = {one.id for one in checks_for(EchoLLM)}
    assert "stop:stream:across-chunks" in ids
    assert not any(one.startswith("secrets:") for one in ids)


async def test_every_check_passes_on_some_model():
    if len(passed_somewhere) < 200:
        pytest.skip("needs the other tests of this file to have run before")
    assert {one.id for one in all_checks()} - passed_somewhere == set()


async def test_a_factory_must_make_a_model():
    with pytest.raises(TypeError, match="is no model"):
        await arun_checks(lambda: "gpt")
