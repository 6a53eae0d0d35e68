"""`include_…` and `exclude_…` of `astream_events`, beside real langchain-core."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import langchain_core.language_models as their_models
import langchain_core.output_parsers as their_parsers
import langchain_core.outputs as their_outputs
import langchain_core.prompts as their_prompts
import langchain_core.runnables as their_runnables
import pytest

import modelport
from modelport import LLM, ChatModel, ChatPromptTemplate, RunnableLambda, StrOutputParser
from modelport.runs.events import EventStream
from modelport.values.errors import InputError


def letters(llm: Any, chunk: Any) -> Any:
    """Return one library's async streaming model."""

    class Letters(llm):
        @property
        def _llm_type(self) -> str:
            return "letters"

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return prompt[-2:]

        async def _astream(
            self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> AsyncIterator[Any]:
            for letter in prompt[-2:]:
                piece = chunk(text=letter)
                if run_manager:
                    await run_manager.on_llm_new_token(letter, chunk=piece)
                yield piece

    return Letters


THEIRS = SimpleNamespace(
    Letters=letters(their_models.LLM, their_outputs.GenerationChunk),
    Prompt=their_prompts.ChatPromptTemplate,
    Parser=their_parsers.StrOutputParser,
    Lambda=their_runnables.RunnableLambda,
)
OURS = SimpleNamespace(
    Letters=letters(modelport.LLM, modelport.GenerationChunk),
    Prompt=modelport.ChatPromptTemplate,
    Parser=modelport.StrOutputParser,
    Lambda=modelport.RunnableLambda,
)


async def upper(text: str) -> str:
    return text.upper()


def chain(lib: Any) -> Any:
    return (
        lib.Prompt.from_messages([("human", "{q}")])
        | lib.Letters(tags=["own"])
        | lib.Parser()
        | lib.Lambda(upper).with_config(tags=["loud", "own"])
    )


FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "names": {"include_names": ["Letters", "upper"]},
    "types": {"include_types": ["llm"]},
    "several-types": {"include_types": ["prompt", "parser"]},
    "tags": {"include_tags": ["own"]},
    "step-tags": {"include_tags": ["seq:step:3"]},
    "one-of-them-is-enough": {"include_names": ["upper"], "include_types": ["prompt"], "include_tags": ["nobody"]},
    "an-empty-list-names-nothing": {"include_names": []},
    "but-not-names": {"exclude_names": ["Letters"]},
    "but-not-types": {"exclude_types": ["chain"]},
    "but-not-tags": {"exclude_tags": ["own"]},
    "out-wins": {"include_tags": ["own"], "exclude_names": ["upper"]},
    "out-wins-over-a-type": {"include_types": ["llm", "chain"], "exclude_tags": ["loud"]},
    "without-the-root": {"exclude_names": ["RunnableSequence"]},
    "the-root-alone": {"include_names": ["RunnableSequence"]},
    "nothing": {"include_types": ["tool"]},
}


async def told(lib: Any, version: str, filters: dict[str, Any], make: Any = chain) -> list[tuple[Any, ...]]:
    """Return what a chain's events say, without their input: theirs is changed by a filter (see below)."""
    events: list[tuple[Any, ...]] = []
    async for event in make(lib).astream_events({"q": "hi"}, version=version, **filters):
        data = {key: getattr(one, "text", one) for key, one in event["data"].items() if key in ("chunk",)}
        events.append((event["event"], event["name"], event["tags"], data))
    return events


@pytest.mark.parametrize("name", FILTERS)
async def test_the_same_runs_tell_events_as_in_langchain(name: str) -> None:
    ours = await told(OURS, "v2", FILTERS[name])
    assert ours == await told(THEIRS, "v2", FILTERS[name])
    assert bool(ours) == (name not in {"an-empty-list-names-nothing", "nothing"})


@pytest.mark.filterwarnings("ignore:astream_events version='v1':DeprecationWarning")
@pytest.mark.parametrize("name", FILTERS)
async def test_the_same_runs_tell_events_in_version_1(name: str) -> None:
    ours = await told(OURS, "v1", FILTERS[name])
    assert ours == await told(THEIRS, "v1", FILTERS[name])


@pytest.mark.parametrize("name", ["none", "types", "names", "but-not-types", "out-wins", "without-the-root"])
async def test_a_model_at_the_root_is_filtered_like_any_other_run(name: str) -> None:
    def root(lib: Any) -> Any:
        return lib.Lambda(lambda value: value["q"]) | lib.Letters() if name == "without-the-root" else lib.Letters()

    filters = FILTERS[name]
    value: Any = {"q": "hi"} if name == "without-the-root" else "hi"
    sides: list[list[Any]] = []
    for lib in (OURS, THEIRS):
        events = root(lib).astream_events(value, version="v2", **filters)
        sides.append([(event["event"], event["name"]) async for event in events])
    assert sides[0] == sides[1]


async def test_a_filter_changes_no_event_that_it_leaves() -> None:
    # LangChain puts the outermost input into the first event that is left.
    whole = [event async for event in (chain(OURS)).astream_events({"q": "hi"})]
    left = [event async for event in (chain(OURS)).astream_events({"q": "hi"}, include_types=["llm"])]
    assert [event["data"] for event in left] == [
        event["data"] for event in whole if event["event"].startswith("on_llm")
    ]
    assert left[0]["data"] == {"input": {"prompts": ["Human: hi"]}}


class Heard(LLM):
    """Notes how many listeners want its tokens, at its first one."""

    wanted: Any = None

    async def _astream(self, prompt: str, run_manager: Any) -> AsyncIterator[str]:
        for letter in prompt:
            yield letter


async def test_nothing_is_made_for_a_run_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens: list[str] = []
    was = EventStream.on_token

    def on_token(self: EventStream, run: Any, chunk: Any) -> Any:
        tokens.append(run.name)
        return was(self, run, chunk)

    monkeypatch.setattr(EventStream, "on_token", on_token)
    both = {"loud": Heard(name="loud"), "quiet": Heard(name="quiet")}

    async def step(text: str) -> str:
        for model in both.values():
            async for _ in model.astream(text):
                pass
        return text

    events = [event async for event in RunnableLambda(step).astream_events("abc", exclude_names=["quiet"])]
    assert tokens == ["loud"] * 3
    assert {event["name"] for event in events} == {"step", "loud"}


async def test_a_call_inside_a_run_that_is_left_out_is_told_with_its_parents() -> None:
    events = [event async for event in chain(OURS).astream_events({"q": "hi"}, exclude_types=["chain"])]
    assert {event["event"].split("_")[1] for event in events} == {"prompt", "llm", "parser"}
    assert {len(event["parent_ids"]) for event in events} == {1}


async def test_a_failing_run_that_is_left_out_tells_nothing_and_fails() -> None:
    async def fail(text: str) -> str:
        raise RuntimeError("down")

    chat = ChatPromptTemplate.from_messages([("human", "{q}")]) | RunnableLambda(fail) | StrOutputParser()
    names: list[str] = []
    with pytest.raises(RuntimeError, match="down"):  # noqa: PT012 - the events come first
        async for event in chat.astream_events({"q": "hi"}, include_types=["prompt"]):
            names.append(event["event"])  # noqa: PERF401 - what came before the error counts
    assert names == ["on_prompt_start", "on_prompt_end"]


async def test_chat_models_are_of_the_type_chat_model() -> None:
    class Chat(ChatModel):
        async def _astream(self, messages: Any) -> AsyncIterator[str]:
            yield "hi"

    for filters, heard in (({"include_types": ["chat_model"]}, True), ({"include_types": ["llm"]}, False)):
        events = [event async for event in (Chat() | StrOutputParser()).astream_events("x", **filters)]  # pyright: ignore[reportArgumentType]
        assert bool(events) == heard


@pytest.mark.parametrize("argument", ["include_names", "include_types", "include_tags", "exclude_names"])
def test_one_text_in_place_of_a_list_is_refused_at_once(argument: str) -> None:
    with pytest.raises(InputError, match=rf"{argument} must be a list of texts, not 'llm'; write \['llm'\]"):
        OURS.Letters().astream_events("hi", **{argument: "llm"})


@pytest.mark.parametrize("given", [3, [3]])
def test_what_is_no_text_is_refused(given: Any) -> None:
    with pytest.raises(InputError, match="must be a list of texts"):
        OURS.Letters().stream_events("hi", exclude_tags=given)
