"""`LLM`: a text model of your own. Write one hook, get every way to call (the custom LLM guide, seed of the names)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from sys import modules
from typing import Any, ClassVar

from typing_extensions import override

from modelport.engine.answers import arun, run
from modelport.engine.hook_sets import TEXT_HOOKS, HookSet
from modelport.engine.streams import astream_texts
from modelport.models.base import AuthoredModel
from modelport.models.many import Many
from modelport.models.templates import CHAT_TEMPLATES, apply_chat_template
from modelport.models.texts import abare_texts, bare_texts, chunk_texts, text_of, thread_texts
from modelport.runs.config import RunnableConfig
from modelport.runs.llm_run import SilentAsyncRun, SilentRun
from modelport.runs.scope import SCOPE, scope_of
from modelport.values.errors import InputError
from modelport.values.foreign import LANGCHAIN, foreign_scope
from modelport.values.generations import Generation
from modelport.values.messages import Message
from modelport.values.prompt_values import PromptInput, StringPromptValue, flatten_messages, messages_from


class LLM(AuthoredModel, Many[PromptInput, str]):
    """Is a text model: a prompt in, text out.

    Subclass it, declare fields, and write one of `_call`, `_acall`, `_stream`, `_astream`, `_batch`, `_abatch`; all
    ways to call follow, with the guarantees. Nothing else is required.
    """

    __modelport_kind__: ClassVar[str] = "llm"
    __modelport_hook_set__: ClassVar[HookSet] = TEXT_HOOKS

    def argument_of(self, value: Any) -> str:
        """Return the prompt of what a caller gives: a text, a prompt value, or messages by the chat template.

        A class's fields `bos_token` and `eos_token`, when it has them, are the template's.

        Raises:
            InputError: It is none of these.
        """
        if isinstance(value, str):
            return value
        if isinstance(value, StringPromptValue):
            return value.text
        if isinstance(value, Message):
            raise InputError(f"one message is no prompt; give a list: [{value!r}]")
        messages = messages_from(value)
        if self.chat_template is None:
            return flatten_messages(messages)
        named = CHAT_TEMPLATES.get(self.chat_template)
        if named is not None:
            return named(messages)  # only a Jinja2 template asks for tokens, and fields that are not there cost time
        bos, eos = (getattr(self, name, None) or "" for name in ("bos_token", "eos_token"))
        return apply_chat_template(self.chat_template, messages, bos_token=bos, eos_token=eos)

    @override
    def result_of(self, answer: Generation) -> str:
        return answer.text

    def _is_bare(self, config: RunnableConfig | None, stop: Any, max_tokens: int | None) -> bool:
        """Tell whether nobody listens and nothing has to be enforced, so that a hook may answer directly."""
        if config is not None or stop is not None or max_tokens is not None or SCOPE.get() is not None:
            return False
        if LANGCHAIN in modules and foreign_scope() is not None:
            return False
        fields = self.__dict__
        return (
            fields["callbacks"] is None
            and fields["max_concurrency"] is None
            and fields["cache"] is None
            and (fields["max_batch_size"] is None or self.__modelport_hooks__.many is None)
        )

    @override
    def invoke(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> str:
        """Return the whole answer.

        Args:
            input: A text, a prompt value, or messages.
            config: Callbacks, tags, metadata, timeout, …
            stop: Where to stop: a string or several, taken literally.
            include_stop: Whether the answer includes the stop string; default: the field of that name.
            max_tokens: The answer's longest length, in tokens.
            **kwargs: For the hook.

        Raises:
            KeywordError: A keyword that the hook does not take.
            ModelTimeoutError: The config's timeout passed.
            Exception: Whatever the hook raised, unchanged.
        """
        hook = self.__modelport_hooks__.bare_answer
        if hook is not None and self._is_bare(config, stop, max_tokens):
            if kwargs:
                hook.check_keywords(kwargs)
            prompt = input if type(input) is str else self.argument_of(input)
            value = hook.bind(self, prompt, None, SilentRun(), kwargs)
            return value if type(value) is str else text_of(value, hook)
        return run(self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs)).text

    @override
    async def ainvoke(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> str:
        """Return the whole answer, on the running loop; see `invoke`."""
        hook = self.__modelport_hooks__.bare_async_answer
        if hook is not None and self._is_bare(config, stop, max_tokens):
            if kwargs:
                hook.check_keywords(kwargs)
            prompt = input if type(input) is str else self.argument_of(input)
            value = await hook.bind(self, prompt, None, SilentAsyncRun(), kwargs)
            return value if type(value) is str else text_of(value, hook)
        answer = await arun(self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs))
        return answer.text

    @override
    def stream(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> Generator[str, None, None]:
        """Return a generator of the answer's pieces, none empty; closing it stops the model. See `invoke`."""
        hook = self.__modelport_hooks__.bare_stream
        if hook is not None and self._is_bare(config, stop, max_tokens):
            if kwargs:
                hook.check_keywords(kwargs)
            return bare_texts(self, self.argument_of(input), hook, kwargs)
        return chunk_texts(self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs))

    @override
    def astream(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[str, None]:
        """Return an async generator of the answer's pieces; `aclose()` stops the model. See `stream`."""
        hook = self.__modelport_hooks__.bare_astream
        if hook is not None and self._is_bare(config, stop, max_tokens):
            if hook.is_async:
                if kwargs:
                    hook.check_keywords(kwargs)
                return abare_texts(self, self.argument_of(input), hook, kwargs)
            return thread_texts(self._call_of(input, None, None, None, None, kwargs), hook)
        return astream_texts(self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs))
