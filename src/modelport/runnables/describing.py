"""What a runnable can tell of itself: its graph, and the schemas of its input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pydantic import BaseModel

    from modelport.runnables.graph import Graph


class Describing:
    """Is the part of `Runnable` that describes it; nothing of it is imported before it is asked for."""

    __slots__ = ()

    def get_graph(self) -> Graph:
        """Return the steps of this runnable and how they are connected; it draws itself as Mermaid or ASCII text."""
        from modelport.runnables.graph import graph_of

        return graph_of(cast("Any", self))

    def get_input_schema(self) -> type[BaseModel]:
        """Return a pydantic model of the input; `.model_json_schema()` gives it as JSON Schema."""
        from modelport.runnables.schemas import input_schema_of

        return input_schema_of(cast("Any", self))

    def get_output_schema(self) -> type[BaseModel]:
        """Return a pydantic model of the output; `.model_json_schema()` gives it as JSON Schema."""
        from modelport.runnables.schemas import output_schema_of

        return output_schema_of(cast("Any", self))
