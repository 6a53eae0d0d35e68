"""Events: everything that happens inside one call, as dicts in LangChain's `astream_events` format.

An `EventStream` listens to the runs of one call and hands their events to one consumer on one loop. Events may come
from any thread; at most `BUFFERED_EVENTS` wait before whoever produces them has to wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable
from typing import Any, Literal

from typing_extensions import override

from modelport.runs.event_filter import EventFilter
from modelport.runs.loops import call_soon
from modelport.runs.run import UNKNOWN, Run
from modelport.values.generations import LLMResult
from modelport.values.messages import ChatGeneration

BUFFERED_EVENTS = 64
"""How many events may wait for their consumer."""
_STREAM_EVENT = {kind: f"on_{kind}_stream" for kind in ("llm", "chat_model", "chain", "prompt", "parser")}
_MODEL_INPUT = {"llm": "prompts", "chat_model": "messages"}


class EventStream:
    """Turns what runs tell into events (it is a listener), and keeps them until the consumer takes them."""

    tokens = True

    def __init__(self, version: Literal["v1", "v2"]) -> None:
        self._v1 = version == "v1"
        self.waiting: deque[dict[str, Any]] = deque()
        """The events that wait for the consumer, in order; it takes them from the left."""
        self._root: Run | None = None
        self._root_model: Run | None = None
        """The root's run while it is a model's and has not ended: its pieces are told, once each."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._room = threading.Event()
        self._closed = False

    # ── listening ───────────────────────────────────────────────────────────────────────────────────────────────────

    def on_start(self, run: Run, inputs: Any) -> None:
        """Tell that a run starts."""
        if self._root is None:
            self._root = run
            if run.is_model:
                # Of a model at the root the consumer's own pieces are told, not its tokens.
                self._root_model = run
                self._leave_tokens_of(run)
        data = {} if inputs is UNKNOWN else {"input": self._input(run)}
        if self._v1:
            self._put_v1(f"on_{run.kind}_start", run, data)
        else:
            self._put({"event": f"on_{run.kind}_start", "data": data, **_facts(run)})

    def _leave_tokens_of(self, run: Run) -> None:
        """Hear no token of this run: none is prepared for this stream."""
        run.token_listeners = tuple(one for one in run.token_listeners if one is not self)

    def on_token(self, run: Run, chunk: Any) -> Awaitable[None] | None:
        """Tell a model's piece (not of a model at the root: see `on_root_piece`)."""
        if run.kind == "chat_model":
            chunk = chunk.message
        elif self._v1:
            chunk = chunk.text
        if self._v1:
            self._put_v1(f"on_{run.kind}_stream", run, {"chunk": chunk})
        else:
            name = _STREAM_EVENT[run.kind]
            self.waiting.append({"event": name, "data": {"chunk": chunk}, **(run.event_facts or _facts(run))})
            if self._waiter is not None:
                self.wake()
        return self._wait_for_room(run) if len(self.waiting) >= BUFFERED_EVENTS else None

    def on_stream(self, run: Run, chunk: Any) -> Awaitable[None] | None:
        """Tell a piece that a chain gives to its consumer."""
        if not self._v1:
            name = _STREAM_EVENT[run.kind]
            self.waiting.append({"event": name, "data": {"chunk": chunk}, **(run.event_facts or _facts(run))})
            if self._waiter is not None:
                self.wake()
        elif run is not self._root:
            self._put_v1(f"on_{run.kind}_stream", run, {"chunk": chunk})
        else:
            self._put({
                "event": f"on_{run.kind}_stream", "run_id": run.id_text, "tags": run.tags, "metadata": run.metadata,
                "name": run.name, "data": {"chunk": chunk},
            })  # fmt: skip
        return self._wait_for_room(run) if len(self.waiting) >= BUFFERED_EVENTS else None

    def on_root_piece(self, piece: Any) -> Awaitable[None] | None:
        """Tell a piece that the consumer of a model at the root got."""
        root = self._root_model
        if root is None:
            return None  # an answer that came whole is told by the end of its run alone
        return self.on_stream(root, piece)

    def on_end(self, run: Run, outputs: Any) -> None:
        """Tell what a run gave."""
        if run is self._root_model:
            self._root_model = None
        data: dict[str, Any] = {"output": self._output(run, outputs)}
        if run is not self._root and run.inputs is not UNKNOWN:
            data = {"input": self._input(run), **data} if self._v1 else {**data, "input": self._input(run)}
        if run.cancelled:
            data["cancelled"] = True
        if run.cached:
            data["cached"] = True
        self._put_last("end", run, data)

    def on_error(self, run: Run, error: BaseException, partial: Any) -> None:
        """Tell that a run failed."""
        data: dict[str, Any] = {"error": error}
        if run is not self._root and run.inputs is not UNKNOWN:
            data["input"] = self._input(run)
        self._put_last("error", run, data)

    def on_retry(self, run: Run, state: Any) -> None:
        """Tell nothing: LangChain has no such event."""

    def _input(self, run: Run) -> Any:
        if run.is_model and run is not self._root:
            return {_MODEL_INPUT[run.kind]: [run.inputs]}
        return self.root_input if run is self._root else run.inputs

    root_input: Any = None
    """What the outermost call was given, before a model turned it into its argument."""

    def _output(self, run: Run, outputs: Any) -> Any:
        if not isinstance(outputs, LLMResult):
            return outputs
        choice = outputs.generations[0][0]
        if isinstance(choice, ChatGeneration):
            return choice.message
        if self._v1 and run is self._root:
            return choice.text
        info = {"finish_reason": choice.finish_reason} if choice.finish_reason not in (None, "stop") else None
        output: dict[str, Any] = {
            "generations": [[{"text": choice.text, "generation_info": info, "type": "Generation"}]],
            "llm_output": outputs.llm_output,
        }
        return {**output, "run": None, "type": "LLMResult"} if self._v1 else output

    def _put_last(self, what: str, run: Run, data: dict[str, Any]) -> None:
        if self._v1:
            self._put({
                "event": f"on_{run.kind}_{what}", "name": run.name, "run_id": run.id_text, "tags": run.tags,
                "metadata": run.metadata, "data": data,
            })  # fmt: skip
        else:
            self._put({"event": f"on_{run.kind}_{what}", "data": data, **_facts(run)})

    def _put_v1(self, name: str, run: Run, data: dict[str, Any]) -> None:
        """Keep an event in the guide's key order: the root's start names the run first."""
        if run is self._root:
            event = {"event": name, "run_id": run.id_text, "name": run.name}
        else:
            event = {"event": name, "name": run.name, "run_id": run.id_text}
        self._put({**event, "tags": run.tags, "metadata": run.metadata, "data": data})

    # ── handing over ────────────────────────────────────────────────────────────────────────────────────────────────

    def _put(self, event: dict[str, Any]) -> None:
        self.waiting.append(event)
        if self._waiter is not None:
            self.wake()

    def wake(self) -> None:
        """Wake the consumer, from any thread."""
        if threading.get_ident() == self._thread:
            self._wake_here()
        else:
            call_soon(self._loop, self._wake_here)

    def _wake_here(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _wait_for_room(self, run: Run) -> Awaitable[None] | None:
        """Hold a producer back until the consumer has taken what waits."""
        if threading.get_ident() == self._thread:
            # A sync call on the consumer's own loop cannot wait for the consumer.
            return self._wait_until_drained() if run.is_async else None
        if _on_a_loop():
            # Nor may another loop stand still: other calls run on it, and the consumer may be waiting for this one.
            return None
        while len(self.waiting) >= BUFFERED_EVENTS and not self._closed:
            self._room.wait()
            self._room.clear()
        return None

    async def _wait_until_drained(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            return  # sync code on the consumer's loop has another loop wait for it
        while len(self.waiting) >= BUFFERED_EVENTS and not self._closed:
            self._drained = self._drained or self._loop.create_future()
            await asyncio.shield(self._drained)

    async def wait(self) -> None:
        """Wait until there is an event, or `wake` is called."""
        waiter = self._loop.create_future()
        self._waiter = waiter
        if self.waiting:
            self._waiter = None
            return
        await waiter

    def taken(self) -> None:
        """Say that the events that waited were taken: whoever produces them goes on."""
        self._let_go()

    def close(self) -> None:
        """Take no notice any more; whoever waits for room goes on."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        self._room.set()
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)


class FilteredEventStream(EventStream):
    """Is an event stream that leaves some runs out: each run is judged when it starts, and nothing is made for it.

    The events that are told are the same ones, with the same data, as without a filter. (LangChain puts the outermost
    call's input into the first event that is left, whichever run it is of.)
    """

    def __init__(self, version: Literal["v1", "v2"], takes: EventFilter) -> None:
        super().__init__(version)
        self._takes = takes
        self._left_out: set[Run] = set()

    @override
    def on_start(self, run: Run, inputs: Any) -> None:
        if self._takes.takes(run):
            super().on_start(run, inputs)
            return
        self._root = self._root or run
        self._left_out.add(run)
        self._leave_tokens_of(run)

    @override
    def on_stream(self, run: Run, chunk: Any) -> Awaitable[None] | None:
        return None if run in self._left_out else super().on_stream(run, chunk)

    @override
    def on_end(self, run: Run, outputs: Any) -> None:
        if run in self._left_out:
            self._left_out.discard(run)
        else:
            super().on_end(run, outputs)

    @override
    def on_error(self, run: Run, error: BaseException, partial: Any) -> None:
        if run in self._left_out:
            self._left_out.discard(run)
        else:
            super().on_error(run, error, partial)


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _facts(run: Run) -> dict[str, Any]:
    """Return what every v2 event of a run carries."""
    if run.event_facts is None:
        run.event_facts = {
            "run_id": run.id_text,
            "name": run.name,
            "tags": run.tags,
            "metadata": run.metadata,
            "parent_ids": run.parent_ids,
        }
    return run.event_facts
