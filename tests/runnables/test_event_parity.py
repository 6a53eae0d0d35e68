"""`astream_events` beside real langchain-core: the same chains, the same events (version v2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import langchain_core.language_models as their_models
import langchain_core.messages as their_messages
import langchain_core.output_parsers as their_parsers
import langchain_core.outputs as their_outputs
import langchain_core.prompts as their_prompts
import langchain_core.runnables as their_runnables
import pytest

import modelport


def letters(llm: Any, chunk: Any) -> Any:
    """Return one library's async streaming model."""

    class Letters(llm):
        n: int = 2

        @property
        def _llm_type(self) -> str:
            return "letters"

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return prompt[: self.n]

        async def _astream(
            self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> AsyncIterator[Any]:
            for letter in prompt[: self.n]:
                piece = chunk(text=letter)
                if run_manager:
                    await run_manager.on_llm_new_token(letter, chunk=piece)
                yield piece

    return Letters


def sync_letters(llm: Any, chunk: Any) -> Any:
    """Return one library's sync streaming model."""

    class SyncLetters(llm):
        @property
        def _llm_type(self) -> str:
            return "letters"

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return prompt[:2]

        def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
            for letter in prompt[:2]:
                piece = chunk(text=letter)
                if run_manager:
                    run_manager.on_llm_new_token(letter, chunk=piece)
                yield piece

    return SyncLetters


def whole(llm: Any) -> Any:
    """Return one library's model that answers in one piece."""

    class Whole(llm):
        @property
        def _llm_type(self) -> str:
            return "whole"

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return prompt[:2]

    return Whole


class TheirWholeChat(their_models.BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "chat"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        message = their_messages.AIMessage(messages[-1].content[:2])
        return their_outputs.ChatResult(generations=[their_outputs.ChatGeneration(message=message)])


class TheirChat(TheirWholeChat):
    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        for letter in messages[-1].content[:2]:
            message = their_messages.AIMessageChunk(content=letter)
            yield their_outputs.ChatGenerationChunk(message=message)


class OurWholeChat(modelport.ChatModel):
    def _call(self, messages: Any) -> str:
        return messages[-1].content[:2]


class OurChat(OurWholeChat):
    async def _astream(self, messages: Any) -> AsyncIterator[str]:
        for letter in messages[-1].content[:2]:
            yield letter


THEIRS = SimpleNamespace(
    Letters=letters(their_models.LLM, their_outputs.GenerationChunk),
    SyncLetters=sync_letters(their_models.LLM, their_outputs.GenerationChunk),
    Whole=whole(their_models.LLM),
    Chat=type("Chat", (TheirChat,), {}),
    WholeChat=type("WholeChat", (TheirWholeChat,), {}),
    chat_prompt=their_prompts.ChatPromptTemplate,
    text_prompt=their_prompts.PromptTemplate,
    Parser=their_parsers.StrOutputParser,
    Lambda=their_runnables.RunnableLambda,
)
OURS = SimpleNamespace(
    Letters=letters(modelport.LLM, modelport.GenerationChunk),
    SyncLetters=sync_letters(modelport.LLM, modelport.GenerationChunk),
    Whole=whole(modelport.LLM),
    Chat=type("Chat", (OurChat,), {}),
    WholeChat=type("WholeChat", (OurWholeChat,), {}),
    chat_prompt=modelport.ChatPromptTemplate,
    text_prompt=modelport.PromptTemplate,
    Parser=modelport.StrOutputParser,
    Lambda=modelport.RunnableLambda,
)


def prompt(lib: Any) -> Any:
    return lib.chat_prompt.from_messages([("system", "be short"), ("human", "{input}")])


async def upper(text: str) -> str:
    return text.upper()


def sync_upper(text: str) -> str:
    return text.upper()


async def exclaimed(lib: Any, text: str) -> AsyncIterator[str]:
    async for token in lib.Letters().astream(text):
        yield token + "!"


def of_lambda(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a maker of a chain whose one step is the function that `make(lib)` gives."""
    return lambda lib: lib.Lambda(make(lib))


def streaming(lib: Any) -> Any:
    async def streams(text: str) -> AsyncIterator[str]:
        async for token in exclaimed(lib, text):
            yield token

    return streams


def handing_on(lib: Any) -> Any:
    async def step(text: str, config: Any) -> str:
        return await lib.Whole(tags=["own"]).ainvoke(text, config)

    return step


def calling(lib: Any) -> Any:
    async def step(text: str) -> str:
        return await lib.Whole(tags=["own"]).ainvoke(text)

    return step


def calling_in_a_thread(lib: Any) -> Any:
    def step(text: str) -> str:
        return lib.Whole().invoke(text)

    return step


def calling_a_chain(lib: Any) -> Any:
    async def step(text: str) -> str:
        return await (prompt(lib) | lib.Whole() | lib.Parser()).ainvoke({"input": text})

    return step


CHAINS: dict[str, tuple[Callable[[Any], Any], Any, dict[str, Any]]] = {
    "llm": (lambda lib: lib.Letters(), "hi", {}),
    "sync-llm": (lambda lib: lib.SyncLetters(), "hi", {}),
    "whole-llm": (lambda lib: lib.Whole(), "hi", {}),
    "llm-of-messages": (lambda lib: lib.Letters(n=9), [("human", "hi")], {}),
    "chat": (lambda lib: lib.Chat(), "hi", {}),
    "whole-chat": (lambda lib: lib.WholeChat(), "hi", {}),
    "prompt-whole-chat": (lambda lib: prompt(lib) | lib.WholeChat(), {"input": "hi"}, {}),
    "prompt-llm": (lambda lib: prompt(lib) | lib.Letters(), {"input": "hi"}, {}),
    "prompt-sync-llm": (lambda lib: prompt(lib) | lib.SyncLetters(), {"input": "hi"}, {}),
    "prompt-whole-llm": (lambda lib: prompt(lib) | lib.Whole(), {"input": "hi"}, {}),
    "text-prompt-llm": (
        lambda lib: lib.text_prompt.from_template("say {input}") | lib.Letters(n=9),
        {"input": "hi"},
        {},
    ),
    "prompt-llm-parser": (
        lambda lib: prompt(lib) | lib.Letters() | lib.Parser(),
        {"input": "hi"},
        {},
    ),
    "prompt-chat": (lambda lib: prompt(lib) | lib.Chat(), {"input": "hi"}, {}),
    "prompt-chat-parser": (
        lambda lib: prompt(lib) | lib.Chat() | lib.Parser(),
        {"input": "hi"},
        {},
    ),
    "llm-lambda": (lambda lib: lib.Letters() | lib.Lambda(upper), "hi", {}),
    "llm-sync-lambda": (lambda lib: lib.Letters() | lib.Lambda(sync_upper), "hi", {}),
    "lambda-llm": (lambda lib: lib.Lambda(upper) | lib.Letters(), "hi", {}),
    "lambda": (lambda lib: lib.Lambda(upper), "hi", {}),
    "unnamed-lambda": (lambda lib: lib.Lambda(lambda text: text * 2), "hi", {}),
    "lambda-streams-llm": (of_lambda(streaming), "hi", {}),
    "lambda-hands-config-on": (of_lambda(handing_on), "hi", {}),
    "lambda-calls-llm": (of_lambda(calling), "hi", {}),
    "lambda-calls-llm-in-a-thread": (of_lambda(calling_in_a_thread), "hi", {}),
    "lambda-calls-chain": (of_lambda(calling_a_chain), "hi", {}),
    "lambda-returns-llm": (lambda lib: lib.Lambda(lambda text: lib.Whole()), "hi", {}),
    "tags-and-names": (
        lambda lib: prompt(lib) | lib.Letters(tags=["own"], metadata={"own": 1}) | lib.Parser(),
        {"input": "hi"},
        {"tags": ["t", "a"], "metadata": {"m": 1}, "run_name": "named"},
    ),
    "bound-steps": (
        lambda lib: (
            lib.Lambda(upper).with_config(run_name="first", tags=["q"])
            | lib.Letters(n=1).with_config(tags=["q", "b"], metadata={"step": 2})
        ),
        "hi",
        {"tags": ["t"]},
    ),
    "bound-llm": (lambda lib: lib.Letters().bind(stop=["x"]), "hi", {}),
    "named-llm": (lambda lib: lib.Letters(name="speaker"), "hi", {"run_name": "root"}),
    "named-chain": (
        lambda lib: (prompt(lib) | lib.Letters()).with_config(run_name="named") | lib.Parser(),
        {"input": "hi"},
        {},
    ),
}


async def events_of(lib: Any, name: str, version: str = "v2") -> list[dict[str, Any]]:
    """Return a chain's events in a form that both libraries share."""
    make, value, config = CHAINS[name]
    ids: dict[str, str] = {}
    events: list[dict[str, Any]] = []
    async for event in make(lib).astream_events(value, config, version=version):
        run = ids.setdefault(event["run_id"], f"run {len(ids)}")
        events.append(
            {
                "event": event["event"],
                "name": event["name"],
                "run": run,
                "parents": [ids[parent] for parent in event.get("parent_ids", ())],
                "tags": event["tags"],
                "metadata": {key: event["metadata"].get(key) for key in ("m", "own", "step")},
                "data": {key: plain(one) for key, one in event["data"].items()},
                "keys": sorted(event) if version == "v2" else [key for key in event if key != "parent_ids"],
            }
        )
    return events


def plain(value: Any) -> Any:
    """Return the texts in a value, whichever library's types it has."""
    if isinstance(value, dict):
        # Ours says what a model's answer cost.
        return {key: plain(one) for key, one in value.items() if key != "llm_output"}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if hasattr(value, "to_string"):
        return value.to_string()
    if hasattr(value, "content"):
        # A streamed chat's end has the sum of its chunks there, the message itself here.
        return (type(value).__name__.removesuffix("Chunk"), value.content)
    return (type(value).__name__, value.text) if hasattr(value, "generation_info") else value


@pytest.mark.parametrize("name", CHAINS)
async def test_the_events_are_langchains(name: str) -> None:
    ours = await events_of(OURS, name)
    assert ours == await events_of(THEIRS, name)
    assert ours


@pytest.mark.filterwarnings("ignore:astream_events version='v1':DeprecationWarning")
@pytest.mark.parametrize("name", [name for name in CHAINS if "chat" not in name and name != "whole-llm"])
async def test_the_events_of_version_1_are_langchains(name: str) -> None:
    """Their order of keys too; they put an empty `parent_ids` after the guide's keys.

    The guide's version knows text models: a chat's end has another shape there, and an answer that comes whole is a
    piece there too.
    """
    ours = await events_of(OURS, name, "v1")
    assert ours == await events_of(THEIRS, name, "v1")
    assert ours


async def test_a_streaming_hook_joined_in_a_function_tells_its_tokens_here_alone() -> None:
    def make(lib: Any) -> Any:
        async def step(text: str) -> str:
            return await lib.Letters().ainvoke(text)

        return lib.Lambda(step)

    CHAINS["joined"] = (make, "hi", {})
    try:
        ours, theirs = await events_of(OURS, "joined"), await events_of(THEIRS, "joined")
    finally:
        del CHAINS["joined"]
    tokens = [event for event in ours if event["event"] == "on_llm_stream"]
    assert [event["data"]["chunk"] for event in tokens] == [
        ("GenerationChunk", "h"),
        ("GenerationChunk", "i"),
    ]
    assert [event for event in ours if event not in tokens] == theirs


async def test_their_chunks_add_up_as_ours_do() -> None:
    for lib in (OURS, THEIRS):
        chunks = [
            event["data"]["chunk"]
            async for event in (prompt(lib) | lib.Letters()).astream_events({"input": "hi"}, version="v2")
            if event["event"] == "on_llm_stream"
        ]
        assert (chunks[0] + chunks[1]).text == "Sy"
