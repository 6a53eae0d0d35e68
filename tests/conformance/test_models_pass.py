"""Every model that the framework makes whole passes every check of the kit."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from pydantic import PrivateAttr, SecretStr

from modelport import (
    LLM,
    AIMessage,
    ChatModel,
    LRUCache,
    Runnable,
    RunnableLambda,
    RunnablePassthrough,
)
from modelport.testing import (
    CheckResult,
    EchoChatModel,
    EchoEmbeddingModel,
    EchoHandler,
    EchoImageModel,
    EchoLLM,
    ScriptedChatModel,
    ScriptedLLM,
    all_checks,
    arun_checks,
    checks_for,
    run_checks,
)
from modelport.testing.checks import Check
from modelport.testing.guarantees import batching
from modelport.testing.kit import run_check
from modelport.testing.subjects import Subjects
from tests.conformance.guides_model import GuidesLLM
from tests.conformance.wrong_models import BY_THEMSELVES

HOOKS = ("_call", "_acall", "_stream", "_astream", "_batch", "_abatch")
SUBSETS = [subset for size in range(1, 7) for subset in itertools.combinations(HOOKS, size)]
CHAT_SUBSETS = [(hook,) for hook in HOOKS] + [("_call", "_astream"), HOOKS]
SOME = [*[(hook,) for hook in HOOKS], HOOKS]
SOME_CHATS = [("_call",), ("_astream",)]
BATCHING = [("_batch",), ("_abatch",), ("_call", "_batch"), ("_stream", "_abatch"), HOOKS]

PAIRS = [("_call", "_stream"), ("_call", "_batch"), ("_stream", "_abatch"), ("_astream", "_batch")]

ONCE = ("cache", "compose", "checklist", "printing", "identity", "secrets", "input", "threads", "deadline", "choices")
RARE = [one.id for one in all_checks() if one.area in ONCE or one.source == batching.SOURCE]
"""What is checked of models with one hook, with all, and of some pairs: of others it could see nothing new."""

passed_somewhere: set[str] = set()


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


class Sampling(LLM):
    """Answers with other words every time, and says so."""

    deterministic = False

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from (f"{random.random()} " for _ in range(3))


MODELS: dict[str, Callable[[], Any]] = {
    "the guide's": lambda: GuidesLLM(n=5),
    "secretive": lambda: Secretive(api_key=SecretStr("sk-secret"), url="http://sk-secret@host"),
    "pinned": Pinned,
    "capable": Capable,
    "sampling": Sampling,
    "EchoLLM": EchoLLM,
    "EchoChatModel": lambda: EchoChatModel(size=3),
    "ScriptedLLM": lambda: ScriptedLLM(answers=["one two", ["three ", "four"], "five"]),
    "ScriptedChatModel": lambda: ScriptedChatModel(answers=["one two", ["three ", "four"], AIMessage("five")]),
}


async def side_by_side(make: Callable[[], Any], ids: Iterable[str] | None = None, through: Any = None) -> Any:
    """The results of some checks, several of which wait at the same time; those that look at what all share, alone."""
    subjects = Subjects(make, through=through)
    wanted = None if ids is None else set(ids)
    checks = [one for one in all_checks() if wanted is None or one.id in wanted]
    turns = asyncio.Semaphore(6)

    async def ask(one: Check) -> CheckResult:
        async with turns:
            return await run_check(one, subjects)

    alone = [one for one in checks if one.area in BY_THEMSELVES]
    results = await asyncio.gather(*(ask(one) for one in checks if one not in alone))
    return [*results, *[await ask(one) for one in alone]]


def assert_all_pass(results: list[CheckResult]) -> None:
    failures = {result.id: result.seen for result in results if result.outcome == "fail"}
    assert failures == {}
    passed = {result.id for result in results if result.outcome == "pass"}
    assert len(passed) > 150
    passed_somewhere.update(passed)


@pytest.mark.parametrize("hooks", SUBSETS, ids="+".join)
async def test_a_text_model_with_any_hooks_keeps_every_guarantee(hooks, echo_class):
    leave_out = () if hooks in SOME or hooks in PAIRS else RARE
    ids = {one.id for one in all_checks()}.difference(leave_out)
    assert_all_pass(await side_by_side(echo_class(hooks), ids=ids))


@pytest.mark.parametrize("hooks", CHAT_SUBSETS, ids="+".join)
async def test_a_chat_model_with_any_hooks_keeps_every_guarantee(hooks, echo_class):
    leave_out = () if hooks in (*SOME_CHATS, HOOKS) else RARE
    ids = {one.id for one in all_checks()}.difference(leave_out)
    assert_all_pass(await side_by_side(echo_class(hooks, chat=True), ids=ids))


@pytest.mark.parametrize("name", MODELS)
async def test_a_model_keeps_every_guarantee(name):
    assert_all_pass(await side_by_side(MODELS[name]))


def piped(model: Any, kwargs: dict[str, Any]) -> Runnable[Any, Any]:
    """The model behind a step that hands its input on, in front of one that hands the answer on piece by piece."""
    return RunnablePassthrough() | model.bind(**kwargs) | RunnablePassthrough()


def behind_a_function(model: Any, kwargs: dict[str, Any]) -> Runnable[Any, Any]:
    """The model behind somebody else's code."""
    return RunnableLambda(lambda value: value) | model.bind(**kwargs)


@pytest.mark.parametrize("hooks", SOME, ids="+".join)
async def test_a_sequence_keeps_every_guarantee_of_its_text_model(hooks, echo_class):
    assert_all_pass(await side_by_side(echo_class(hooks), through=piped))


@pytest.mark.parametrize("hooks", SOME_CHATS, ids="+".join)
async def test_a_sequence_keeps_every_guarantee_of_its_chat_model(hooks, echo_class):
    assert_all_pass(await side_by_side(echo_class(hooks, chat=True), through=behind_a_function))


@pytest.mark.parametrize("hooks", BATCHING, ids="+".join)
async def test_a_batching_model_keeps_every_guarantee(hooks, echo_class):
    cls = echo_class(hooks)
    assert_all_pass(await side_by_side(lambda: cls(max_batch_size=4)))


async def test_a_batching_chat_model_keeps_every_guarantee(echo_class):
    cls = echo_class(["_abatch"], chat=True)
    assert_all_pass(await side_by_side(lambda: cls(max_batch_size=4)))


@pytest.mark.parametrize("hooks", SOME, ids="+".join)
async def test_a_cached_model_keeps_every_guarantee(hooks, echo_class):
    cls = echo_class(hooks)
    assert_all_pass(await side_by_side(lambda: cls(cache=LRUCache())))


@pytest.mark.parametrize("hooks", SOME_CHATS, ids="+".join)
async def test_a_cached_chat_model_keeps_every_guarantee(hooks, echo_class):
    cls = echo_class(hooks, chat=True)
    assert_all_pass(await side_by_side(lambda: cls(cache=True)))


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
    for through in (None, piped):
        results = run_checks(EchoLLM, through=through, ids=["parity:ainvoke:same-text", "stop:stream:across-chunks"])
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


EMBEDDING_MODELS = ("SyncEmbeddings", "AsyncEmbeddings", "AllEmbeddings", "PinnedEmbeddings")
IMAGE_MODELS = ("SyncImages", "AsyncImages", "SecretImages", "PinnedImages", "PinnedEdits")
MOST_TELLING = ("derive", "parity", "stop", "cancel", "usage", "errors", "handler")
CHAT_HANDLERS = ("Completing", "AsyncCompleting", "Streaming", "AsyncStreaming")


def assert_all_hold(results: list[CheckResult], at_least: int) -> None:
    assert {result.id: result.seen for result in results if result.outcome == "fail"} == {}
    passed = {result.id for result in results if result.outcome == "pass"}
    assert len(passed) >= at_least
    passed_somewhere.update(passed)


@pytest.mark.parametrize("name", [*EMBEDDING_MODELS, *IMAGE_MODELS])
async def test_an_embedding_or_image_model_keeps_every_guarantee(name, subject_class):
    assert_all_hold(await side_by_side(subject_class(name)), 40)


@pytest.mark.parametrize("name", ["AllEmbeddings", "AsyncEmbeddings"])
async def test_a_batching_embedding_model_keeps_every_guarantee(name, subject_class):
    make = subject_class(name)
    assert_all_hold(await side_by_side(lambda: make(max_batch_size=4, max_concurrency=2, dimensions=2)), 100)


@pytest.mark.parametrize("name", CHAT_HANDLERS)
async def test_a_handler_that_chats_keeps_every_guarantee_of_chat_models(name, subject_class):
    areas = {one.area for one in all_checks()} if name in ("Completing", "AsyncStreaming") else MOST_TELLING
    ids = {one.id for one in all_checks() if one.area in areas}
    assert_all_hold(await side_by_side(subject_class(name), ids=ids), 130)


@pytest.mark.parametrize("name", ["Embedding", "Drawing", "Sketching", "Nothing"])
async def test_a_handler_keeps_every_guarantee_of_what_it_does(name, subject_class):
    assert_all_hold(await side_by_side(subject_class(name)), 4)


@pytest.mark.parametrize("make", [EchoEmbeddingModel, EchoImageModel, EchoHandler])
async def test_a_shipped_fake_keeps_every_guarantee(make):
    ids = {one.id for one in all_checks() if make is not EchoHandler or one.area in (*MOST_TELLING, "checklist")}
    assert_all_hold(await side_by_side(make, ids=ids), 80)


async def test_of_a_sampling_model_all_but_parity_is_looked_at():
    results = await arun_checks(Sampling, ids=[one.id for one in all_checks() if one.area in ("parity", "usage")])
    same = {result.outcome for result in results if result.id.endswith(("same-text", "in-company"))}
    assert same == {"not applicable"}
    assert {result.outcome for result in results if result.id.endswith("max-tokens-own")} == {"pass"}


async def test_one_handler_for_all_checks_keeps_the_guarantees_of_handlers(subject_class):
    handler = subject_class("AsyncCompleting")()
    ids = {one.id for one in all_checks() if one.area in MOST_TELLING}
    assert_all_hold(await side_by_side(lambda: handler, ids=ids), 100)


def test_checks_of_a_chat_say_why_they_do_not_apply_to_an_embedding_model(subject_class):
    [result] = run_checks(subject_class("SyncEmbeddings"), ids=["stop:stream:cut"])
    assert result.outcome == "not applicable"
    assert result.seen == "it is about what answers; SyncEmbeddings makes embeddings"


def test_checks_of_images_say_why_they_do_not_apply_to_a_handler_that_chats(subject_class):
    [result] = run_checks(subject_class("Completing"), ids=["image:edit-images:answers"])
    assert result.outcome == "not applicable"
    assert result.seen == "it is about what makes images; Completing is a handler without methods for that"


def test_checks_of_handlers_do_not_apply_to_models():
    [result] = run_checks(EchoLLM, ids=["handler:invoke:answers"])
    assert (result.outcome, result.seen) == ("not applicable", "it is about handlers; EchoLLM answers")


def test_a_class_in_place_of_a_model_is_no_model(subject_class):
    with pytest.raises(TypeError, match="is no model"):
        run_checks(lambda: subject_class("Completing"))


def test_an_embedding_model_cannot_be_called_through_a_runnable(subject_class):
    with pytest.raises(TypeError, match="is no runnable"):
        run_checks(subject_class("SyncEmbeddings"), through=piped)


async def test_every_check_passes_on_some_model():
    if len(passed_somewhere) < 600:
        pytest.skip("needs the other tests of this file to have run before")
    assert {one.id for one in all_checks()} - passed_somewhere == set()


def test_checks_of_a_sequence_leave_out_what_is_about_the_model_itself():
    ids = {one.id for one in checks_for(EchoLLM, through=piped)}
    assert {"stop:stream:across-chunks", "cancel:astream:closed", "usage:batch:authors-figures"} <= ids
    assert not any(one.startswith(("identity:", "choices:")) for one in ids)


async def test_a_sequence_that_breaks_a_guarantee_is_found_out():
    def shouting(model: Any, kwargs: dict[str, Any]) -> Runnable[Any, Any]:
        return model.bind(**kwargs) | RunnableLambda(str.upper)

    results = await arun_checks(EchoLLM, through=shouting, ids=["parity:astream:same-text", "order:stream:token-first"])
    assert [result.outcome for result in results] == ["fail", "fail"]


async def test_checks_of_a_cached_model_leave_its_cache_alone():
    cache = LRUCache()
    model = EchoLLM(cache=cache)
    results = await arun_checks(lambda: model, ids=["parity:stream:same-text", "cache:stream:read"])
    assert [result.outcome for result in results] == ["pass", "pass"]
    assert cache.entries == 0


async def test_a_factory_must_make_a_model():
    with pytest.raises(TypeError, match="is no model"):
        await arun_checks(lambda: "gpt")


async def test_the_checks_must_be_given_a_runnable_to_go_through():
    with pytest.raises(TypeError, match="is no runnable"):
        await arun_checks(EchoLLM, through=lambda model, kwargs: model.invoke)
