"""The custom LLM guide, from top to bottom: its class, with only its import lines changed."""

# ruff: noqa: UP006, UP035, UP045 - the guide's own spelling

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional
from uuid import UUID

import pytest

from modelport import (
    LLM,
    CallbackManagerForLLMRun,
    ChatPromptTemplate,
    ChatPromptValue,
    GenerationChunk,
    HumanMessage,
    SystemMessage,
)


class CustomLLM(LLM):
    """A custom chat model that echoes the first `n` characters of the input.

    When contributing an implementation to LangChain, carefully document
    the model including the initialization parameters, include
    an example of how to initialize the model and include any relevant
    links to the underlying models documentation or API.

    Example:

        .. code-block:: python

            model = CustomChatModel(n=2)
            result = model.invoke([HumanMessage(content="hello")])
            result = model.batch([[HumanMessage(content="hello")],
                                 [HumanMessage(content="world")]])
    """

    n: int
    """The number of characters from the last message of the prompt to be echoed."""

    def _call(
        self,
        prompt: str,
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> str:
        """Run the LLM on the given input.

        Override this method to implement the LLM logic.

        Args:
            prompt: The prompt to generate from.
            stop: Stop words to use when generating. Model output is cut off at the
                first occurrence of any of the stop substrings.
                If stop tokens are not supported consider raising NotImplementedError.
            run_manager: Callback manager for the run.
            **kwargs: Arbitrary additional keyword arguments. These are usually passed
                to the model provider API call.

        Returns:
            The model output as a string. Actual completions SHOULD NOT include the prompt.
        """
        if stop is not None:
            raise ValueError("stop kwargs are not permitted.")
        return prompt[: self.n]

    def _stream(
        self,
        prompt: str,
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        """Stream the LLM on the given prompt.

        This method should be overridden by subclasses that support streaming.

        If not implemented, the default behavior of calls to stream will be to
        fallback to the non-streaming version of the model and return
        the output as a single chunk.

        Args:
            prompt: The prompt to generate from.
            stop: Stop words to use when generating. Model output is cut off at the
                first occurrence of any of these substrings.
            run_manager: Callback manager for the run.
            **kwargs: Arbitrary additional keyword arguments. These are usually passed
                to the model provider API call.

        Returns:
            An iterator of GenerationChunks.
        """
        for char in prompt[: self.n]:
            chunk = GenerationChunk(text=char)
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)

            yield chunk

    @property
    def _identifying_params(self) -> Dict[str, Any]:
        """Return a dictionary of identifying parameters."""
        return {
            # The model name allows users to specify custom token counting
            # rules in LLM monitoring applications (e.g., in LangSmith users
            # can provide per token pricing for their model and monitor
            # costs for the given LLM.)
            "model_name": "CustomChatModel",
        }

    @property
    def _llm_type(self) -> str:
        """Get the type of language model used by this chat model. Used for logging purposes only."""
        return "custom"


def test_printing_the_model_shows_its_class_and_identity(capsys: pytest.CaptureFixture[str]) -> None:
    llm = CustomLLM(n=5)
    print(llm)
    assert capsys.readouterr().out == "CustomLLM\nParams: {'model_name': 'CustomChatModel'}\n"


def test_invoke_gives_the_first_n_characters() -> None:
    llm = CustomLLM(n=5)
    assert llm.invoke("This is a foobar thing") == "This "


async def test_ainvoke_gives_the_first_n_characters() -> None:
    llm = CustomLLM(n=5)
    assert await llm.ainvoke("world") == "world"


def test_batch_gives_one_answer_per_prompt() -> None:
    llm = CustomLLM(n=5)
    assert llm.batch(["woof woof woof", "meow meow meow"]) == ["woof ", "meow "]


async def test_abatch_gives_one_answer_per_prompt() -> None:
    llm = CustomLLM(n=5)
    assert await llm.abatch(["woof woof woof", "meow meow meow"]) == ["woof ", "meow "]


async def test_astream_prints_letter_by_letter(capsys: pytest.CaptureFixture[str]) -> None:
    llm = CustomLLM(n=5)
    async for token in llm.astream("hello"):
        print(token, end="|", flush=True)
    assert capsys.readouterr().out == "h|e|l|l|o|"


def test_stream_gives_the_same_letters() -> None:
    assert list(CustomLLM(n=5).stream("hello")) == list("hello")


async def eight_events() -> list[dict[str, Any]]:
    prompt = ChatPromptTemplate.from_messages([("system", "you are a bot"), ("human", "{input}")])
    llm = CustomLLM(n=7)
    chain = prompt | llm
    events: list[dict[str, Any]] = []
    idx = 0
    async for event in chain.astream_events({"input": "hello there!"}, version="v1"):
        events.append(event)
        idx += 1
        if idx > 7:
            # Truncate
            break
    return events


async def test_the_eight_events_are_those_of_the_guide_field_for_field() -> None:
    events = await eight_events()
    chain_id, prompt_id, llm_id = (events[place]["run_id"] for place in (0, 1, 3))
    given = {"input": "hello there!"}
    messages = [SystemMessage(content="you are a bot"), HumanMessage(content="hello there!")]
    chain = {"run_id": chain_id, "name": "RunnableSequence", "tags": [], "metadata": {}}
    prompt = {"name": "ChatPromptTemplate", "run_id": prompt_id, "tags": ["seq:step:1"], "metadata": {}}
    llm = {"name": "CustomLLM", "run_id": llm_id, "tags": ["seq:step:2"], "metadata": {}}
    prompts = ["System: you are a bot\nHuman: hello there!"]
    assert events == [
        {"event": "on_chain_start", **chain, "data": {"input": given}},
        {"event": "on_prompt_start", **prompt, "data": {"input": given}},
        {
            "event": "on_prompt_end",
            **prompt,
            "data": {"input": given, "output": ChatPromptValue(messages=messages)},
        },
        {"event": "on_llm_start", **llm, "data": {"input": {"prompts": prompts}}},
        {"event": "on_llm_stream", **llm, "data": {"chunk": "S"}},
        {"event": "on_chain_stream", **chain, "data": {"chunk": "S"}},
        {"event": "on_llm_stream", **llm, "data": {"chunk": "y"}},
        {"event": "on_chain_stream", **chain, "data": {"chunk": "y"}},
    ]
    assert len({chain_id, prompt_id, llm_id}) == 3


async def test_the_eight_events_print_as_the_guide_prints_them() -> None:
    events = await eight_events()
    ids = [events[place]["run_id"] for place in (0, 1, 3)]
    printed = "\n".join(map(str, events))
    for name, run_id in zip(("CHAIN", "PROMPT", "LLM"), ids, strict=True):
        assert run_id == str(UUID(run_id)).lower()
        printed = printed.replace(run_id, name)
    assert printed == (
        "{'event': 'on_chain_start', 'run_id': 'CHAIN', 'name': 'RunnableSequence', 'tags': [], "
        "'metadata': {}, 'data': {'input': {'input': 'hello there!'}}}\n"
        "{'event': 'on_prompt_start', 'name': 'ChatPromptTemplate', 'run_id': 'PROMPT', "
        "'tags': ['seq:step:1'], 'metadata': {}, 'data': {'input': {'input': 'hello there!'}}}\n"
        "{'event': 'on_prompt_end', 'name': 'ChatPromptTemplate', 'run_id': 'PROMPT', "
        "'tags': ['seq:step:1'], 'metadata': {}, 'data': {'input': {'input': 'hello there!'}, "
        "'output': ChatPromptValue(messages=[SystemMessage(content='you are a bot'), "
        "HumanMessage(content='hello there!')])}}\n"
        "{'event': 'on_llm_start', 'name': 'CustomLLM', 'run_id': 'LLM', 'tags': ['seq:step:2'], "
        "'metadata': {}, 'data': {'input': {'prompts': "
        "['System: you are a bot\\nHuman: hello there!']}}}\n"
        "{'event': 'on_llm_stream', 'name': 'CustomLLM', 'run_id': 'LLM', 'tags': ['seq:step:2'], "
        "'metadata': {}, 'data': {'chunk': 'S'}}\n"
        "{'event': 'on_chain_stream', 'run_id': 'CHAIN', 'tags': [], 'metadata': {}, "
        "'name': 'RunnableSequence', 'data': {'chunk': 'S'}}\n"
        "{'event': 'on_llm_stream', 'name': 'CustomLLM', 'run_id': 'LLM', 'tags': ['seq:step:2'], "
        "'metadata': {}, 'data': {'chunk': 'y'}}\n"
        "{'event': 'on_chain_stream', 'run_id': 'CHAIN', 'tags': [], 'metadata': {}, "
        "'name': 'RunnableSequence', 'data': {'chunk': 'y'}}"
    )


def test_the_guides_refusal_of_stop_strings_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match=r"^stop kwargs are not permitted\.$"):
        CustomLLM(n=5).invoke("hello", stop=["l"])


def test_a_streamed_answer_of_the_guides_model_ends_at_the_stop_string() -> None:
    assert "".join(CustomLLM(n=5).stream("hello", stop=["el"])) == "hel"
