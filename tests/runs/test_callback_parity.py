"""The same handler, the same models, real langchain-core beside us: who is called when, with what."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import langchain_core.callbacks
import langchain_core.language_models
import langchain_core.messages
import langchain_core.output_parsers
import langchain_core.outputs
import langchain_core.prompts
import pytest

import modelport

METHODS = (
    "on_llm_start",
    "on_chat_model_start",
    "on_llm_new_token",
    "on_llm_end",
    "on_llm_error",
    "on_chain_start",
    "on_chain_end",
    "on_chain_error",
)


class RefusedError(ValueError):
    """Is raised by the models for one prompt."""


def recording(base: Any) -> Any:
    """Return a handler of this library that keeps every call as `(method, arguments, keywords)`."""

    class Recorder(base):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def method(name: str) -> Callable[..., None]:
        return lambda self, *args, **kwargs: self.calls.append((name, args, kwargs))

    for name in METHODS:
        setattr(Recorder, name, method(name))
    return Recorder()


def text_model(base: Any, chunk: type) -> Any:
    class Model(base):
        @property
        def _llm_type(self) -> str:
            return "two-letters"

        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {"model_name": "m"}

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            if prompt == "bad":
                raise RefusedError("refused")
            return prompt[:2]

        def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
            for letter in prompt[:2]:
                piece = chunk(text=letter)
                if run_manager:
                    run_manager.on_llm_new_token(letter, chunk=piece)
                yield piece
            if prompt == "bad":
                raise RefusedError("refused")

    return Model(tags=["own"], metadata={"own": 1})


class TheirChat(langchain_core.language_models.BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "chat"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        message = langchain_core.messages.AIMessage(messages[-1].content[:2])
        generation = langchain_core.outputs.ChatGeneration(message=message)
        return langchain_core.outputs.ChatResult(generations=[generation])

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        for letter in messages[-1].content[:2]:
            message = langchain_core.messages.AIMessageChunk(content=letter)
            yield langchain_core.outputs.ChatGenerationChunk(message=message)


class OurChat(modelport.ChatModel):
    @property
    def _llm_type(self) -> str:
        return "chat"

    def _call(self, messages: Any, **kwargs: Any) -> str:
        return messages[-1].content[:2]

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        yield from messages[-1].content[:2]


class Library:
    """Is one of the two, with the names that the tests use."""

    def __init__(self, handler: type, model: Any, chat: Any, prompt: Any, parser: Any) -> None:
        self.recorder = recording(handler)
        self.model = model
        self.chat = chat
        self.chain = prompt.from_messages([("human", "{q}")]) | model | parser

    def recorded(self, work: Callable[[Any, Any], Any]) -> list[tuple[str, Any, dict[str, Any]]]:
        """Return what the handler heard of `work(library, config)`, ids replaced by numbers."""
        config = {"callbacks": [self.recorder], "tags": ["t"], "metadata": {"m": 1}}
        self.recorder.calls.clear()
        with contextlib.suppress(RefusedError):
            work(self, config)
        numbers = itertools.count()
        ids: dict[Any, Any] = {None: None}
        return [comparable(name, args, kwargs, ids, numbers) for name, args, kwargs in self.recorder.calls]


def comparable(
    name: str, args: Any, kwargs: dict[str, Any], ids: dict[Any, Any], numbers: Iterator[int]
) -> tuple[str, Any, dict[str, Any]]:
    """Return a call in a form that both libraries share."""
    facts = {key: kwargs[key] for key in ("tags", "options", "batch_size") if key in kwargs}
    for key in ("run_id", "parent_run_id"):
        if kwargs[key] not in ids:
            ids[kwargs[key]] = next(numbers)
        facts[key] = ids[kwargs[key]]
    if "metadata" in kwargs:  # theirs has versions and guesses about the provider too
        facts["metadata"] = {key: kwargs["metadata"].get(key) for key in ("m", "own")}
    if "invocation_params" in kwargs:
        facts["invocation_params"] = kwargs["invocation_params"]
    if name == "on_chain_start":
        facts["name"] = kwargs["name"]
    if name == "on_llm_new_token":  # theirs passes the token by name from sync code
        payload: Any = (args[0] if args else kwargs["token"], kwargs["chunk"].text)
    elif name in ("on_llm_end", "on_llm_error"):
        result = args[0] if name == "on_llm_end" else kwargs["response"]
        texts = [[choice.text for choice in choices] for choices in result.generations]
        # A run that failed before its first piece has one empty generation here, none there.
        payload = texts if name == "on_llm_end" else (repr(args[0]), [one for one in texts if any(one)])
    elif name.endswith("_start"):
        payload = readable(args[1])
    else:
        payload = readable(args[0])
    return name, payload, facts


def readable(value: Any) -> Any:
    if isinstance(value, list):
        return [readable(one) for one in value]
    if hasattr(value, "to_string"):
        return value.to_string()
    return value.content if hasattr(value, "content") else repr(value)


@pytest.fixture
def theirs() -> Library:
    return Library(
        langchain_core.callbacks.BaseCallbackHandler,
        text_model(langchain_core.language_models.LLM, langchain_core.outputs.GenerationChunk),
        TheirChat(),
        langchain_core.prompts.ChatPromptTemplate,
        langchain_core.output_parsers.StrOutputParser(),
    )


@pytest.fixture
def ours() -> Library:
    return Library(
        modelport.BaseCallbackHandler,
        text_model(modelport.LLM, modelport.GenerationChunk),
        OurChat(),
        modelport.ChatPromptTemplate,
        modelport.StrOutputParser(),
    )


@pytest.mark.parametrize(
    "work",
    [
        lambda lib, config: lib.model.invoke("hello", config),
        lambda lib, config: lib.model.invoke("hello", config, stop=["x"]),
        lambda lib, config: lib.model.invoke("bad", config),
        lambda lib, config: list(lib.model.stream("hello", config, temperature=1)),
        lambda lib, config: list(lib.model.stream("bad", config)),
        lambda lib, config: lib.chat.invoke([("human", "hello")], config),
        lambda lib, config: lib.chain.invoke({"q": "x"}, config),
        lambda lib, config: lib.model.bind(stop=["x"]).invoke("hello", config),
        lambda lib, config: lib.model.with_config(tags=["bound"]).invoke("hello", config),
        lambda lib, config: lib.chain.with_config(run_name="named").invoke({"q": "x"}, config),
    ],
    ids=[
        "invoke",
        "invoke-with-stop",
        "failing-invoke",
        "stream-with-keyword",
        "failing-stream",
        "chat-invoke",
        "chain-invoke",
        "bound-invoke",
        "with-tags",
        "with-name",
    ],
)
def test_a_handler_hears_what_langchains_hears(theirs: Library, ours: Library, work: Callable[[Any, Any], Any]) -> None:
    heard = ours.recorded(work)
    assert heard == theirs.recorded(work)
    assert heard


def test_a_streamed_chain_is_heard_in_langchains_order(theirs: Library, ours: Library) -> None:
    def work(lib: Library, config: Any) -> Any:
        return list(lib.chain.stream({"q": "x"}, config))

    def order(lib: Library) -> list[Any]:
        return [
            (name, facts["run_id"], facts["parent_run_id"], facts["tags"], facts.get("name"))
            for name, _, facts in lib.recorded(work)
        ]

    assert order(ours) == order(theirs)


def test_a_streamed_chat_is_heard_as_theirs_but_for_the_empty_last_token(theirs: Library, ours: Library) -> None:
    def work(lib: Library, config: Any) -> Any:
        return list(lib.chat.stream("hello", config))

    assert [call for call in theirs.recorded(work) if call[1] != ("", "")] == ours.recorded(work)


def test_their_own_handler_hears_our_models(theirs: Library, ours: Library) -> None:
    heard = ours.recorded(lambda lib, config: list(lib.chain.stream({"q": "x"}, config)))
    ours.recorder = theirs.recorder
    assert ours.recorded(lambda lib, config: list(lib.chain.stream({"q": "x"}, config))) == heard
    assert len(heard) == 10


def test_keywords_are_theirs_and_no_more(theirs: Library, ours: Library) -> None:
    """Theirs has `inputs` and `defers_inputs` of its own tracers."""

    def keywords(lib: Library) -> list[tuple[str, set[str]]]:
        lib.recorded(lambda lib, config: lib.chain.invoke({"q": "x"}, config))
        return [(name, set(kwargs) - {"run_type"}) for name, _, kwargs in lib.recorder.calls]

    assert keywords(ours) == keywords(theirs)


def test_serialized_names_the_class(ours: Library) -> None:
    ours.recorded(lambda lib, config: lib.chain.invoke({"q": "x"}, config))
    starts = [args[0] for name, args, _ in ours.recorder.calls if name.endswith("start")]
    assert [(one["name"], one["id"][-1]) for one in starts] == [
        ("RunnableSequence", "RunnableSequence"),
        ("ChatPromptTemplate", "ChatPromptTemplate"),
        ("Model", "text_model.<locals>.Model"),
        ("StrOutputParser", "StrOutputParser"),
    ]


def test_the_end_of_a_models_run_carries_usage_and_the_models_name(ours: Library) -> None:
    ours.recorded(lambda lib, config: lib.model.invoke("hello", config))
    result = ours.recorder.calls[-1][1][0]
    assert result.llm_output == {
        "model_name": "m",
        "token_usage": {
            "prompt_tokens": 2,
            "completion_tokens": 1,
            "total_tokens": 3,
            "estimated": True,
        },
    }
    assert result.generations[0][0].finish_reason == "stop"
