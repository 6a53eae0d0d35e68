"""`LLM`: what it takes, what its hooks may give, and `generate`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import langchain_core.messages
import langchain_core.outputs
import pytest

from modelport import (
    LLM,
    AIMessage,
    ChatPromptValue,
    Generation,
    GenerationChunk,
    HumanMessage,
    SystemMessage,
    Usage,
)
from modelport.values.errors import HookError, InputError, KeywordError
from modelport.values.prompt_values import StringPromptValue


class Echo(LLM):
    def _call(self, prompt: str) -> str:
        return prompt


class Giving(LLM):
    """Gives what a test wants, from each kind of hook."""

    value: Any

    def _call(self, prompt: str) -> Any:
        return self.value


class Yielding(LLM):
    pieces: Any

    def _stream(self, prompt: str) -> Iterator[Any]:
        yield from self.pieces


class AsyncYielding(LLM):
    pieces: Any

    async def _astream(self, prompt: str) -> AsyncIterator[Any]:
        for piece in self.pieces:
            yield piece


async def answers_of(model: Any, prompt: Any = "p", **kwargs: Any) -> list[Any]:
    """Return what each way to call gives, streams joined; with a listener too, which goes another way."""
    listening: Any = {"tags": ["t"], "callbacks": [Listening()]}
    return [
        answer
        for config in (None, listening)
        for answer in (
            model.invoke(prompt, config, **kwargs),
            await model.ainvoke(prompt, config, **kwargs),
            "".join(model.stream(prompt, config, **kwargs)),
            "".join([piece async for piece in model.astream(prompt, config, **kwargs)]),
            *model.batch([prompt], config, **kwargs),
            *await model.abatch([prompt], config, **kwargs),
        )
    ]


class Listening:
    def on_llm_start(self, *args: Any, **kwargs: Any) -> None: ...


class Silent(LLM):
    """Streams no piece at all."""

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from ()


class AsyncSilent(LLM):
    """Streams no piece at all, on the loop."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for piece in ():
            yield piece


@pytest.mark.parametrize("cls", [Silent, AsyncSilent])
@pytest.mark.parametrize("config", [None, {"tags": ["t"], "callbacks": [Listening()]}], ids=["bare", "heard"])
class TestYieldingNothing:
    """Truncation must not look like an answer (langchain-core refuses it too; LiteLLM calls it a "stop")."""

    async def test_is_an_error_in_every_way_to_call(self, cls: type[LLM], config: Any) -> None:
        model = cls()
        said = rf"{cls.__name__}\._a?stream yielded nothing; yield at least one piece"
        with pytest.raises(HookError, match=said):
            model.invoke("p", config)
        with pytest.raises(HookError, match=said):
            await model.ainvoke("p", config)
        with pytest.raises(HookError, match=said):
            list(model.stream("p", config))
        with pytest.raises(HookError, match=said):
            [piece async for piece in model.astream("p", config)]
        [failure] = model.batch(["p"], config, return_exceptions=True)
        assert isinstance(failure, HookError)
        with pytest.raises(HookError, match=said):
            model.invoke("p", config, stop=["x"])


class TestInputs:
    @pytest.mark.parametrize(
        ("given", "prompt"),
        [
            ("hi", "hi"),
            (StringPromptValue("hi"), "hi"),
            (ChatPromptValue([HumanMessage("hi")]), "Human: hi"),
            ([SystemMessage("s"), ("human", "h")], "System: s\nHuman: h"),
            ([{"role": "assistant", "content": "a"}], "AI: a"),
            (["a", "b"], "Human: a\nHuman: b"),
            ([], ""),
            ([langchain_core.messages.HumanMessage("hi")], "Human: hi"),
        ],
    )
    async def test_a_prompt_may_be(self, given: Any, prompt: str) -> None:
        assert set(await answers_of(Echo(), given)) == {prompt}

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (4, r"4 \(int\) is no prompt"),
            (None, r"None \(NoneType\) is no prompt"),
            (HumanMessage("hi"), r"one message is no prompt; give a list: \[HumanMessage"),
            ([[]], r"\[\] is no message"),
        ],
    )
    async def test_what_is_no_prompt_is_refused(self, given: Any, said: str) -> None:
        for model in (Echo(), Yielding(pieces=[])):
            with pytest.raises(InputError, match=said):
                model.invoke(given)
            with pytest.raises(InputError, match=said):
                await model.ainvoke(given)
            with pytest.raises(InputError, match=said):
                list(model.stream(given))

    def test_the_last_template_takes_the_last_messages_text(self) -> None:
        model = Echo(chat_template="last")
        assert model.invoke([("system", "be short"), ("human", "hi")]) == "hi"
        assert model.invoke(ChatPromptValue([HumanMessage([{"type": "text", "text": "a"}])])) == "a"
        assert model.invoke([]) == ""
        assert model.invoke("plain") == "plain"

    def test_an_unknown_template_names_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match=r"'lats' is no chat template; known: .*last.*did you mean 'last'"):
            Echo(chat_template="lats")


class TestWhatHooksGive:
    @pytest.mark.parametrize(
        "value",
        [
            "hi",
            b"hi",
            bytearray(b"hi"),
            Generation("hi"),
            GenerationChunk("hi"),
            AIMessage("hi"),
            langchain_core.outputs.Generation(text="hi"),
            langchain_core.messages.AIMessage("hi"),
        ],
    )
    async def test_one_answer_may_be(self, value: Any) -> None:
        assert await answers_of(Giving(value=value)) == ["hi"] * 12

    @pytest.mark.parametrize(
        "pieces",
        [
            ["h", "i"],
            [GenerationChunk("h"), GenerationChunk("i")],
            ["h", GenerationChunk(""), b"", GenerationChunk("i"), ""],
            [b"h", "i"],
            [langchain_core.outputs.GenerationChunk(text="h"), "i"],
            [GenerationChunk("h", generation_info={"x": 1}), AIMessage("i")],
        ],
    )
    async def test_pieces_may_be(self, pieces: Any) -> None:
        for model in (Yielding(pieces=pieces), AsyncYielding(pieces=pieces)):
            assert await answers_of(model) == ["hi"] * 12
            assert list(model.stream("p")) == ["h", "i"]
            assert [piece async for piece in model.astream("p")] == ["h", "i"]

    async def test_characters_split_over_bytes_come_whole(self) -> None:
        whole = "naïve 🎈 日本"
        pieces = [bytes([byte]) for byte in whole.encode()]
        for model in (Yielding(pieces=pieces), AsyncYielding(pieces=pieces)):
            assert await answers_of(model) == [whole] * 12
            assert "�" not in "".join(model.stream("p"))
        cut = [*pieces[:-1]]
        for model in (Yielding(pieces=cut), AsyncYielding(pieces=cut)):
            assert await answers_of(model) == [whole[:-1] + "�"] * 12

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (None, r"Giving\._call returned None; it must give .*; is a `return` missing\?"),
            (4, r"Giving\._call returned 4 \(int\); it must give str, bytes, Generation or AI"),
            (["hi"], r"Giving\._call returned a value of type list; it must"),
            ((c for c in "hi"), r"a hook that yields is `_stream` or `_astream`"),
        ],
    )
    async def test_a_wrong_answer_names_the_hook(self, value: Any, said: str) -> None:
        model: Any = Giving(value=value)
        for config in (None, {"tags": ["t"]}):
            with pytest.raises(HookError, match=said):
                model.invoke("p", config)
            with pytest.raises(HookError, match=said):
                await model.ainvoke("p", config)

    async def test_a_forgotten_await_is_said(self) -> None:
        class Forgotten(LLM):
            def _call(self, prompt: str) -> Any:
                return asyncio.sleep(0)

            async def _astream(self, prompt: str) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
                return "no generator"

        with pytest.raises(HookError, match=r"is an `await` missing, or should the hook be the"):
            Forgotten().invoke("p")
        with pytest.raises(HookError, match=r"_astream returned .*must be an `async def` that yi"):
            await anext(Forgotten().astream("p"))

    @pytest.mark.parametrize("pieces", [["h", 4], [None], [["h"]]])
    async def test_a_wrong_piece_names_the_hook(self, pieces: Any) -> None:
        for model in (Yielding(pieces=pieces), AsyncYielding(pieces=pieces)):
            said = rf"{type(model).__name__}\._a?stream yielded .* it must give str, bytes"
            for config in (None, {"tags": ["t"]}):
                with pytest.raises(HookError, match=said):
                    list(model.stream("p", config))  # pyright: ignore[reportArgumentType]
                with pytest.raises(HookError, match=said):
                    async for _ in model.astream("p", config):  # pyright: ignore[reportArgumentType]
                        pass

    def test_a_stream_hook_must_yield(self) -> None:
        class Returning(LLM):
            def _stream(self, prompt: str) -> Any:
                return "whole"

        with pytest.raises(HookError, match=r"Returning\._stream returned a value of type str; it"):
            list(Returning().stream("p"))

    def test_a_stream_hook_may_return_any_iterable(self) -> None:
        class Listing(LLM):
            def _stream(self, prompt: str) -> Any:
                return ["h", "i"]

        assert list(Listing().stream("p")) == ["h", "i"]

    def test_a_generations_text_must_be_a_text(self) -> None:
        chunk = GenerationChunk(4, generation_info={"x": 1})  # pyright: ignore[reportArgumentType]
        with pytest.raises(HookError, match=r"GenerationChunk whose text is 4 \(int\); it must"):
            Yielding(pieces=[chunk]).invoke("p")


class TestWhatComesBack:
    def test_the_authors_figures_are_kept(self) -> None:
        value = Generation("hi", finish_reason="content_filter", usage=Usage(5, 6, 11), logprobs=[1])
        (answer,) = Giving(value=value).generate(["p"]).generations[0]
        assert answer == value

    @pytest.mark.parametrize(
        "info",
        [
            {"finish_reason": "length", "usage": {"prompt_tokens": 5, "completion_tokens": 6}},
            {"stop_reason": "length", "token_usage": {"input_tokens": 5, "output_tokens": 6}},
            {"finish_reason": "length", "usage_metadata": {"input_tokens": 5, "output_tokens": 6}},
        ],
    )
    def test_langchains_generation_info_is_read(self, info: dict[str, Any]) -> None:
        given = [
            Giving(value=Generation("hi", generation_info=info)),
            Giving(value=langchain_core.outputs.Generation(text="hi", generation_info=info)),
            Yielding(pieces=["h", GenerationChunk("i", generation_info=info)]),
            Yielding(
                pieces=[
                    "h",
                    langchain_core.outputs.GenerationChunk(text="i", generation_info=info),
                ]
            ),
        ]
        for model in given:
            (answer,) = model.generate(["p"]).generations[0]
            assert (answer.text, answer.finish_reason) == ("hi", "length")
            assert answer.usage == Usage(5, 6, 11)

    def test_what_the_author_sets_himself_wins_over_generation_info(self) -> None:
        value = Generation("hi", "stop", Usage(1, 1, 2), generation_info={"finish_reason": "length", "usage": {}})
        (answer,) = Giving(value=value).generate(["p"]).generations[0]
        assert (answer.finish_reason, answer.usage) == ("stop", Usage(1, 1, 2))

    def test_without_figures_they_are_estimated(self) -> None:
        (answer,) = Echo().generate(["12345"]).generations[0]
        assert answer.usage == Usage(2, 2, 4, estimated=True)
        assert answer.finish_reason == "stop"

    def test_count_tokens_counts(self) -> None:
        class Words(LLM):
            def _call(self, prompt: str) -> str:
                return prompt + " and more"

            def _count_tokens(self, text: str) -> int:
                return len(text.split())

        (answer,) = Words().generate(["one two"]).generations[0]
        assert answer.usage == Usage(2, 4, 6)
        (cut,) = Words().generate(["one two"], max_tokens=3).generations[0]
        assert (cut.text.split(), cut.finish_reason) == (["one", "two", "and"], "length")


class TestKeywords:
    class Named(LLM):
        def _call(self, prompt: str, heat: float = 0.0) -> str:
            return f"{prompt} {heat}"

    async def test_a_named_keyword_reaches_the_hook(self) -> None:
        assert await answers_of(self.Named(), heat=1.5) == ["p 1.5"] * 12

    async def test_a_keyword_that_no_hook_takes_is_refused(self) -> None:
        for model, said in (
            (self.Named(), r"Named\._call does not take the keyword 'heta'; did you mean 'heat'"),
            (Echo(), r"Echo\._call does not take the keyword 'heta'; it takes no keywords"),
            (Yielding(pieces=["a"]), r"Yielding\._stream does not take the keyword 'heta'"),
            (AsyncYielding(pieces=["a"]), r"AsyncYielding\._astream does not take the keyword"),
        ):
            with pytest.raises(KeywordError, match=said) as raised:
                model.invoke("p", heta=1)
            assert isinstance(raised.value, TypeError)
            assert raised.value.param == "heta"
            with pytest.raises(KeywordError):
                await model.ainvoke("p", heta=1)
            with pytest.raises(KeywordError):
                list(model.stream("p", heta=1))
            with pytest.raises(KeywordError):
                async for _ in model.astream("p", heta=1):
                    pass
            with pytest.raises(KeywordError):
                model.batch(["p"], heta=1)

    async def test_stop_and_run_manager_are_named_or_left_out(self) -> None:
        class All(LLM):
            def _call(self, prompt: str, stop: Any, run_manager: Any, **kwargs: Any) -> str:
                return f"{stop} {run_manager is not None} {kwargs}"

        class OnlyStop(LLM):
            def _call(self, prompt: str, *, stop: Any = None) -> str:
                return f"{len(stop)}"

        class OnlyManager(LLM):
            def _call(self, prompt: str, run_manager: Any) -> str:
                return f"{run_manager is not None}"

        class Neither(LLM):
            def _call(self, prompt: str, **kwargs: Any) -> str:
                return f"{kwargs}"

        for model, answer in (
            (All(), "None True {'heat': 1}"),
            (Neither(), "{'heat': 1}"),
        ):
            assert set(await answers_of(model, heat=1)) == {answer}
        assert set(await answers_of(OnlyStop(), stop="q")) == {"1"}
        assert set(await answers_of(OnlyManager())) == {"True"}

    async def test_max_tokens_reaches_a_hook_that_takes_it(self) -> None:
        class Takes(LLM):
            supports: ClassVar[frozenset[str]] = frozenset({"max_tokens"})

            def _call(self, prompt: str, **kwargs: Any) -> str:
                return f"{kwargs}"

        assert set(await answers_of(Takes(), max_tokens=1)) == {"{'max_tokens': 1}"}
        assert Echo().invoke("12345678901", max_tokens=2) == "12345678"

    @pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
    def test_max_tokens_must_be_a_positive_int(self, value: Any) -> None:
        with pytest.raises(InputError, match="max_tokens must be an int of at least 1, or None"):
            Echo().invoke("p", max_tokens=value)
