"""What is said to a model for a structured output, and what its answers come to. It knows nothing of waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from modelport.models.schemas import OutputSchema
from modelport.models.structured_methods import Method, ToolMethod
from modelport.runnables.joining import join
from modelport.runnables.json_reader import JsonReader
from modelport.values.errors import OutputParserError
from modelport.values.messages import AIMessage, AIMessageChunk
from modelport.values.prompt_values import StringPromptValue, messages_from

if TYPE_CHECKING:
    from modelport.models.many import Many


class Reading(NamedTuple):
    """Is what an answer came to."""

    raw: Any
    """The model's answer: a message, or a text model's text."""
    parsed: Any
    """The validated output; None when there is an error."""
    error: OutputParserError | None
    """Why the answer is no such output."""
    problem: str
    """What is wrong, as the model is told."""


class Exchange:
    """Is how one model is asked for one schema's outputs."""

    __slots__ = ("_model", "include_raw", "method", "schema")

    def __init__(self, model: Many[Any, Any], schema: OutputSchema, method: Method, *, include_raw: bool) -> None:
        self._model = model
        self.schema = schema
        """What answers must be."""
        self.method = method
        """How the model is asked."""
        self.include_raw = include_raw
        """Whether outputs are dicts of `raw`, `parsed` and `parsing_error`."""

    @property
    def is_of_text(self) -> bool:
        """Whether the model is a text model, which a conversation is one text for."""
        return self._model.__modelport_kind__ == "llm"

    def keywords(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keywords of each call of the model: the caller's, and what asks for the output."""
        return {**kwargs, **self.method.keywords}

    def read(self, raw: Any, *, is_repair: bool = False) -> Reading:
        """Return what an answer comes to."""
        try:
            return Reading(raw, self.schema.validate(self.method.value_of(raw)), None, "")
        except ValueError as error:
            cause, problem = error, str(error)
        text = self.method.text_of(raw)
        again = ", also when asked to repair it" if is_repair else ""
        message = f"the answer is no {self.schema.name}{again}: {problem}. It was {text!r:.500}"
        failure = OutputParserError(cast("Any", self._model).scrub(message), llm_output=text)
        failure.__cause__ = cause.__cause__ or cause
        return Reading(raw, None, failure, problem)

    def repair_input(self, value: Any, wrong: Reading) -> Any:
        """Return what asks the model to repair a wrong answer: the conversation goes on."""
        problem = f"That answer is no {self.schema.name}: {wrong.problem}. {self.method.again}"
        if not self.is_of_text:
            return [*messages_from(value), *self.method.turns(wrong.raw, problem)]
        text = self.method.text_of(wrong.raw)
        if isinstance(value, (str, StringPromptValue)):
            prompt = value if isinstance(value, str) else value.text
            return f"{prompt}\n\n{text}\n\n{problem}\n\n"
        return [*messages_from(value), ("ai", text), ("human", problem)]

    def outcome(self, reading: Reading) -> Any:
        """Return the output, or the error in place of it."""
        if self.include_raw:
            return {"raw": reading.raw, "parsed": reading.parsed, "parsing_error": reading.error}
        return reading.parsed if reading.error is None else reading.error

    def output(self, reading: Reading) -> Any:
        """Return the output.

        Raises:
            OutputParserError: There is none, and `include_raw` is not set.
        """
        if reading.error is not None and not self.include_raw:
            raise reading.error
        return self.outcome(reading)

    def whole(self, pieces: list[Any]) -> Any:
        """Return the answer that streamed pieces make."""
        whole = join(pieces)
        if whole is None:
            return "" if self.is_of_text and not isinstance(self.method, ToolMethod) else AIMessage("")
        return whole.to_message() if isinstance(whole, AIMessageChunk) else whole

    def growing(self) -> Growing | None:
        """Return what reads one streamed answer while it comes; None when only the whole is to be seen."""
        return Growing(self.method.follow()) if self.schema.gives_dicts and not self.include_raw else None


class Growing:
    """Is the dict of one streamed answer as far as it has come."""

    def __init__(self, text_in: Callable[[Any], str]) -> None:
        self._text_in = text_in
        self._reader = JsonReader()
        self.value: dict[str, Any] | None = None
        """The dict so far."""

    def push(self, piece: Any) -> bool:
        """Take a piece of the answer; tell whether the dict is another one now."""
        if not self._reader.feed(self._text_in(piece)):
            return False
        try:
            value = self._reader.value()
        except ValueError:  # what is wrong is said of the whole answer
            return False
        if not isinstance(value, dict) or not self.differs(value):
            return False
        self.value = cast("dict[str, Any]", value)
        return True

    def differs(self, value: Any) -> bool:
        """Tell whether a dict is another than the one so far, in its values' types too."""
        return value != self.value or repr(value) != repr(self.value)
