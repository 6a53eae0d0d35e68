"""`StructuredOutput`: what `with_structured_output` makes. A model whose answers are validated objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.models.schemas import output_schema
from modelport.models.structured_exchange import Exchange, Reading
from modelport.models.structured_methods import MethodName, ToolMethod, method_for
from modelport.models.tool_calling import TextToolCalls
from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.binding import RunnableBinding
from modelport.runnables.item_runs import ItemRuns
from modelport.runnables.joining import snapshot
from modelport.runnables.joint_batches import JointBatches
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import ObservedStreams
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of

if TYPE_CHECKING:
    from modelport.models.many import Many

FIRST, REPAIR = "seq:step:1", "seq:step:2"
"""The tags of the model's runs: of its answer, and of its repaired one."""


class StructuredOutput(JointBatches[In, Out], ObservedStreams[In, Out]):
    """Asks a model for an object, validates its answer, and lets the model repair a wrong one, once.

    One call is one run, with the model's run inside, and a second one when there was a repair. Of a batch, a model
    that answers many at once gets all inputs together, and then the wrong answers together. A stream of a schema that
    gives dicts (TypedDict, JSON Schema) yields the dict as it grows: each piece holds all before it, unvalidated, and
    the last one is the validated whole, repaired when need be. Other streams yield the whole, once.
    """

    __slots__ = ("called", "exchange", "name")

    def __init__(self, called: Runnable[In, Any], exchange: Exchange) -> None:
        """Make one of its parts; see `structured_output`."""
        self.called = called
        """What answers: the model, or a binding of it."""
        self.exchange = exchange
        """How it is asked, and what its answers come to."""
        self.name: str | None = None
        """The name that events carry; StructuredOutput when None."""

    @override
    def __repr__(self) -> str:
        return f"StructuredOutput({self.exchange.schema.name}, {self.called!r})"

    def with_bound(self, kwargs: Mapping[str, Any], config: Mapping[str, Any]) -> StructuredOutput[In, Out]:
        """Return a copy whose model gets these keywords and this config in every call."""
        return StructuredOutput(RunnableBinding(self.called, kwargs=kwargs, config=config), self.exchange)

    @property
    @override
    def InputType(self) -> Any:
        return self.called.InputType

    @property
    @override
    def OutputType(self) -> Any:
        return dict[str, Any] if self.exchange.include_raw else self.exchange.schema.output_type

    @property
    @override
    def scopes_its_code(self) -> bool:
        return self.called.scopes_its_code

    @property
    @override
    def batches_at_once(self) -> bool:
        return self.called.batches_at_once

    # ── one answer ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, value: Any, scope: Scope | None, kwargs: Mapping[str, Any]) -> Any:
        asked = self.exchange.keywords(kwargs)
        reading = self.exchange.read(self.called.invoke(value, _config(scope, FIRST), **asked))
        return self.exchange.output(reading if reading.error is None else self._repaired(value, reading, scope, asked))

    def _repaired(self, value: Any, wrong: Reading, scope: Scope | None, asked: Mapping[str, Any]) -> Reading:
        again = self.exchange.repair_input(value, wrong)
        return self.exchange.read(self.called.invoke(again, _config(scope, REPAIR), **asked), is_repair=True)

    async def _aanswer(self, value: Any, scope: Scope | None, kwargs: Mapping[str, Any]) -> Any:
        asked = self.exchange.keywords(kwargs)
        reading = self.exchange.read(await self.called.ainvoke(value, _config(scope, FIRST), **asked))
        return self.exchange.output(
            reading if reading.error is None else await self._arepaired(value, reading, scope, asked)
        )

    async def _arepaired(self, value: Any, wrong: Reading, scope: Scope | None, asked: Mapping[str, Any]) -> Reading:
        again = self.exchange.repair_input(value, wrong)
        return self.exchange.read(await self.called.ainvoke(again, _config(scope, REPAIR), **asked), is_repair=True)

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Return the model's answer as an object of the schema.

        Args:
            input: As for the model.
            config: As for the model.
            **kwargs: For the model, in each of its calls.

        Raises:
            OutputParserError: Neither the answer nor its repair fits; with `include_raw` it is in the output.
            Exception: Whatever the model raises.
        """
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._answer(input, scope, kwargs)
        return observe(self, "chain", scope, input, lambda inner: self._answer(input, inner, kwargs))

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Return the model's answer as an object of the schema, on the running loop; see `invoke`."""
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return await self._aanswer(input, scope, kwargs)
        work: Callable[[Scope], Any] = lambda inner: self._aanswer(input, inner, kwargs)  # noqa: E731
        return await aobserve(self, "chain", scope, input, work)

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[Any, None, None]:
        asked, growing, given = self.exchange.keywords(kwargs), self.exchange.growing(), cast("list[Any]", [])
        stream: Any = self.called.stream(value, _config(scope, FIRST), **asked)
        try:
            for piece in stream:
                given.append(piece)
                if growing is not None and growing.push(piece):
                    yield snapshot(growing.value)
        finally:
            close_quietly(stream)
        reading = self.exchange.read(self.exchange.whole(given))
        output = self.exchange.output(
            reading if reading.error is None else self._repaired(value, reading, scope, asked)
        )
        if growing is None or growing.differs(output):
            yield output if growing is None else snapshot(output)

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[Any, None]:
        asked, growing, given = self.exchange.keywords(kwargs), self.exchange.growing(), cast("list[Any]", [])
        stream: Any = self.called.astream(value, _config(scope, FIRST), **asked)
        try:
            async for piece in stream:
                given.append(piece)
                if growing is not None and growing.push(piece):
                    yield snapshot(growing.value)
        finally:
            await aclose_quietly(stream)
        reading = self.exchange.read(self.exchange.whole(given))
        if reading.error is not None:
            reading = await self._arepaired(value, reading, scope, asked)
        output = self.exchange.output(reading)
        if growing is None or growing.differs(output):
            yield output if growing is None else snapshot(output)

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _readings(self, answers: Sequence[Any]) -> list[Any]:
        return [answer if isinstance(answer, BaseException) else self.exchange.read(answer) for answer in answers]

    def _to_repair(self, items: ItemRuns, readings: list[Any]) -> list[int]:
        """Return the places of the wrong answers, whose items have become what asks for their repair."""
        wrong = [at for at, one in enumerate(readings) if isinstance(one, Reading) and one.error is not None]
        for at in wrong:
            items.open[at].value = self.exchange.repair_input(items.open[at].value, readings[at])
        return wrong

    def _outcomes(self, readings: list[Any], repaired: Sequence[int], answers: Sequence[Any]) -> list[Any]:
        for at, answer in zip(repaired, answers, strict=True):
            readings[at] = answer if isinstance(answer, BaseException) else self.exchange.read(answer, is_repair=True)
        return [self.exchange.outcome(one) if isinstance(one, Reading) else one for one in readings]

    @override
    def _batch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        asked = self.exchange.keywords(kwargs)
        readings = self._readings(items.batch(self.called, FIRST, **asked))
        wrong = self._to_repair(items, readings)
        items.settle(self._outcomes(readings, wrong, items.batch(self.called, REPAIR, places=wrong, **asked)))

    @override
    async def _abatch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        asked = self.exchange.keywords(kwargs)
        readings = self._readings(await items.abatch(self.called, FIRST, **asked))
        wrong = self._to_repair(items, readings)
        answers = await items.abatch(self.called, REPAIR, places=wrong, **asked)
        await items.asettle(self._outcomes(readings, wrong, answers))


def structured_output(
    model: Many[In, Any],
    schema: Any,
    *,
    method: MethodName | None = None,
    include_raw: bool = False,
    strict: bool | None = None,
) -> StructuredOutput[In, Any]:
    """Return a model whose answers are objects of a schema; see `with_structured_output`."""
    wanted = output_schema(schema)
    how = method_for(type(model), model.__modelport_hooks__, wanted, method, strict)
    exchange = Exchange(model, wanted, how, include_raw=include_raw)
    called: Any = model
    if isinstance(how, ToolMethod) and exchange.is_of_text:
        called = TextToolCalls(model)
    return StructuredOutput(called, exchange)


def _config(scope: Scope | None, tag: str) -> Any:
    return None if scope is None else {"callbacks": scope.inside(None, tag)}
