"""Answering many inputs, and `generate`: the ways to call that are alike for text and chat models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, overload

from typing_extensions import override

from modelport.engine.batches import Outcome, arun_many, raise_first, run_many
from modelport.engine.call import Call
from modelport.engine.choices import arun_choices, run_choices
from modelport.engine.hooks import Hooks
from modelport.runnables.base import In, Out, Runnable, configs_for
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError
from modelport.values.generations import Generation, LLMResult
from modelport.values.usage import Usage

if TYPE_CHECKING:
    from modelport.models.structured import StructuredOutput
    from modelport.models.structured_methods import MethodName

Structured = TypeVar("Structured")

FRAMEWORK_KEYWORDS = ("stop", "include_stop", "max_tokens")
"""Call keywords that are the framework's; every other one goes to the hook untouched."""


class Many(Runnable[In, Out]):
    """Gives a model `batch`, `abatch`, `generate` and `agenerate`."""

    __slots__ = ()

    if TYPE_CHECKING:
        __modelport_hooks__: ClassVar[Hooks]

        def get_model_name(self) -> str:
            """Return the name that results carry."""
            ...

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    @property
    @override
    def batches_at_once(self) -> bool:
        return self.__modelport_hooks__.many is not None

    def argument_of(self, value: Any) -> Any:
        """Return the hook's argument of what a caller gives."""
        raise NotImplementedError

    def result_of(self, answer: Generation) -> Out:
        """Return what `invoke` gives of a whole answer."""
        raise NotImplementedError

    def _call_of(
        self, value: Any, scope: Scope | None, stop: Any, include_stop: Any, max_tokens: Any, kwargs: Mapping[str, Any]
    ) -> Call:
        return Call(
            self,  # pyright: ignore[reportArgumentType] - LLM and ChatModel are EngineModels
            self.argument_of(value),
            scope=scope,
            stop=stop,
            include_stop=include_stop,
            max_tokens=max_tokens,
            kwargs=kwargs,
        )

    def _calls_of(
        self, inputs: Sequence[Any], configs: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Call], list[int], list[Any]]:
        """Return the calls of the inputs that are well formed, their places, and all slots with the others' errors."""
        own = dict(kwargs)
        stop, include_stop, max_tokens = (own.pop(name, None) for name in FRAMEWORK_KEYWORDS)
        calls: list[Call] = []
        places: list[int] = []
        slots: list[Any] = [None] * len(inputs)
        for place, (value, config) in enumerate(zip(inputs, configs, strict=True)):
            try:
                calls.append(self._call_of(value, scope_of(config), stop, include_stop, max_tokens, own))
                places.append(place)
            except InputError as error:
                slots[place] = error
        return calls, places, slots

    def _fill(self, slots: list[Any], places: list[int], outcomes: list[Outcome], return_exceptions: bool) -> list[Out]:
        for place, outcome in zip(places, outcomes, strict=True):
            slots[place] = self.result_of(outcome) if isinstance(outcome, Generation) else outcome
        if not return_exceptions:
            raise_first(slots)
        return slots

    @override
    def batch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Answer many inputs at once: by `_batch` or `_abatch` when the class has one, else concurrently.

        Args:
            inputs: One per answer.
            config: One for all, or one per input; `max_concurrency` bounds the batch.
            return_exceptions: True: a failure stays in its slot. False: the first one, in order, is raised at the end.
            progress: Whether to show a bar on stderr; items that share a `_batch` call are counted when it ends.
            **kwargs: As for `invoke`.
        """
        configs, limit = configs_for(inputs, config)
        calls, places, slots = self._calls_of(inputs, configs, kwargs)
        if progress:
            from modelport.models.progress import run_many_counted

            outcomes = run_many_counted(self.get_name(), len(inputs), calls, limit)
        else:
            outcomes = run_many(calls, limit)
        return self._fill(slots, places, outcomes, return_exceptions)

    @override
    async def abatch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Answer many inputs at once on the running loop; see `batch`."""
        configs, limit = configs_for(inputs, config)
        calls, places, slots = self._calls_of(inputs, configs, kwargs)
        if progress:
            from modelport.models.progress import arun_many_counted

            outcomes = await arun_many_counted(self.get_name(), len(inputs), calls, limit)
        else:
            outcomes = await arun_many(calls, limit)
        return self._fill(slots, places, outcomes, return_exceptions)

    def generate(
        self, prompts: Sequence[In], *, n: int = 1, config: RunnableConfig | None = None, **kwargs: Any
    ) -> LLMResult:
        """Answer prompts with finish reasons and usage.

        Args:
            prompts: One list of choices comes back for each, in order.
            n: How many choices each prompt gets; each its own run.
            config: As for `batch`.
            **kwargs: As for `invoke`.

        Raises:
            InputError: `prompts` is a single text, or `n` is no int of at least 1.
            Exception: The first failure, in order, after all have run.
        """
        configs, limit = configs_for(_checked(prompts, n), config)
        calls, _, slots = self._calls_of(prompts, configs, kwargs)
        raise_first(slots)
        if n == 1:
            outcomes: list[Any] = [[one] if isinstance(one, Generation) else one for one in run_many(calls, limit)]
        else:
            outcomes = run_choices(calls, n, limit)
        raise_first(outcomes)
        return self._result(outcomes)

    async def agenerate(
        self, prompts: Sequence[In], *, n: int = 1, config: RunnableConfig | None = None, **kwargs: Any
    ) -> LLMResult:
        """Answer prompts with finish reasons and usage, on the running loop; see `generate`."""
        configs, limit = configs_for(_checked(prompts, n), config)
        calls, _, slots = self._calls_of(prompts, configs, kwargs)
        raise_first(slots)
        if n == 1:
            answers = await arun_many(calls, limit)
            outcomes: list[Any] = [[one] if isinstance(one, Generation) else one for one in answers]
        else:
            outcomes = await arun_choices(calls, n, limit)
        raise_first(outcomes)
        return self._result(outcomes)

    @overload
    def with_structured_output(
        self,
        schema: type[Structured],
        *,
        method: MethodName | None = None,
        include_raw: Literal[False] = False,
        strict: bool | None = None,
    ) -> StructuredOutput[In, Structured]: ...
    @overload
    def with_structured_output(
        self,
        schema: Mapping[str, Any],
        *,
        method: MethodName | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
    ) -> StructuredOutput[In, dict[str, Any]]: ...
    @overload
    def with_structured_output(
        self,
        schema: type,
        *,
        method: MethodName | None = None,
        include_raw: Literal[True],
        strict: bool | None = None,
    ) -> StructuredOutput[In, dict[str, Any]]: ...
    def with_structured_output(
        self,
        schema: Any,
        *,
        method: MethodName | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
    ) -> StructuredOutput[In, Any]:
        """Return this model with answers that are objects of a schema: asked for, validated, and repaired once.

        A wrong answer is given back to the model with what is wrong, and its next answer counts.

        Args:
            schema: A pydantic model class (outputs are its instances), a TypedDict or a JSON Schema with a title
                (outputs are dicts; the latter needs the extra `structured`).
            method: "json_schema" asks by `response_format`, "function_calling" by one tool, "json_mode" by a
                `response_format` that tells the model nothing of the schema, so the prompt must. None: the first of the
                first two whose keyword all of the class's answering hooks support.
            include_raw: Whether outputs are `{"raw", "parsed", "parsing_error"}`; then a wrong answer raises nothing.
            strict: OpenAI's `strict`, told to the model when it is not None; True: with the schema in its strict form.

        Raises:
            KeywordError: The hooks take neither `response_format` nor `tools`, or not what `method` needs.
            InputError: The schema is no such thing or describes no object, or `method` is unknown.
            MissingExtraError: The schema is a JSON Schema, and the extra is not installed.
        """
        from modelport.models.structured import structured_output

        return structured_output(self, schema, method=method, include_raw=include_raw, strict=strict)

    def _result(self, choices: list[list[Generation]]) -> LLMResult:
        total = sum((one.usage for many in choices for one in many if one.usage), Usage())
        return LLMResult(choices, {"token_usage": total.to_token_usage(), "model_name": self.get_model_name()})


def _checked(prompts: Any, n: Any) -> Sequence[Any]:
    if isinstance(prompts, str):
        raise InputError(f"generate takes a list of prompts, not one text; write generate([{prompts[:40]!r}])")
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InputError(f"n must be an int of at least 1, not {n!r}", param="n")
    return prompts
