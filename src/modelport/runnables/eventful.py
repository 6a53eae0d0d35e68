"""What every runnable tells of a call: everything that happens in it, as events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

if TYPE_CHECKING:
    from modelport.runs.config import RunnableConfig

In = TypeVar("In", contravariant=True)


class Eventful(Generic[In]):
    """Is the part of `Runnable` that gives the events of a call."""

    __slots__ = ()

    def astream_events(
        self,
        input: In,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield everything that happens inside the call, in LangChain's event format.

        The filters judge each run on its own: with any `include_…`, only runs that one of them names tell events;
        runs that an `exclude_…` names never do.

        Args:
            input: As for `invoke`.
            config: As for `invoke`.
            version: "v2", or "v1" as the custom LLM guide prints it.
            include_names: Names of runs.
            include_types: Types of runs: "llm", "chat_model", "chain", "prompt", "parser".
            include_tags: Tags; a run with one of them is named.
            exclude_names: Names of runs.
            exclude_types: Types of runs.
            exclude_tags: Tags.
            **kwargs: As for `invoke`.

        Raises:
            InputError: Another version was asked for, or a filter is no list of texts.
        """
        from modelport.runnables.events import EventRequest, astream_events

        filters = {
            "include_names": include_names,
            "include_types": include_types,
            "include_tags": include_tags,
            "exclude_names": exclude_names,
            "exclude_types": exclude_types,
            "exclude_tags": exclude_tags,
        }
        return astream_events(EventRequest(cast("Any", self), input, config, version, filters, kwargs))

    def stream_events(
        self,
        input: In,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Generator[dict[str, Any], None, None]:
        """Return a generator of the events of `astream_events`, for sync code; the arguments are its own.

        The call runs on a background loop, as `astream` would run it, so the events come while it runs; at most a
        few wait for the consumer before the call has to wait. Closing the generator cancels the call and waits for
        it; what it raises comes after its events.

        Raises:
            InputError: As for `astream_events`.
        """
        from modelport.runnables.events import EventRequest, stream_events

        filters = {
            "include_names": include_names,
            "include_types": include_types,
            "include_tags": include_tags,
            "exclude_names": exclude_names,
            "exclude_types": exclude_types,
            "exclude_tags": exclude_tags,
        }
        return stream_events(EventRequest(cast("Any", self), input, config, version, filters, kwargs))
