"""`get_graph()`: the steps of a runnable as nodes and edges, and their drawings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import override

if TYPE_CHECKING:
    from modelport.runnables.base import Runnable
    from modelport.runnables.parts import Parts

_WORDS_OF_MERMAID = {
    "end",
    "graph",
    "subgraph",
    "flowchart",
    "class",
    "classdef",
    "click",
    "style",
    "default",
    "linkstyle",
}


class Node(NamedTuple):
    """Is one step, or what goes in or comes out."""

    id: str
    """A readable id, unique in its graph."""
    name: str
    """The name that is drawn: the runnable's, without a leading "Runnable", or the schema's."""
    data: Any
    """The runnable; for what goes in or comes out, the pydantic model of it."""


class Edge(NamedTuple):
    """Is a connection: what the source gives goes to the target."""

    source: str
    """The id of the node that gives."""
    target: str
    """The id of the node that takes."""
    data: str | None = None
    """When it goes there, of a conditional edge."""
    conditional: bool = False
    """Whether it goes there only sometimes."""


class Graph:
    """Is what `get_graph()` returns."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        """The nodes by their ids, the input first, the output last."""
        self.edges: list[Edge] = []
        """The connections."""

    @override
    def __repr__(self) -> str:
        return f"Graph(nodes={[node.name for node in self.nodes.values()]}, edges={len(self.edges)})"

    def add_node(self, name: str, data: Any) -> Node:
        """Add a node, give it an id, and return it."""
        plain = re.sub(r"\W+", "_", name.removeprefix("Runnable") or name, flags=re.ASCII).strip("_") or "node"
        if plain.lower() in _WORDS_OF_MERMAID or plain[0].isdigit():
            plain = f"node_{plain}"
        unique, number = plain, 1
        while unique in self.nodes:
            number += 1
            unique = f"{plain}_{number}"
        node = Node(unique, name.removeprefix("Runnable") or name, data)
        self.nodes[unique] = node
        return node

    def add_edge(self, source: Node, target: Node, data: str | None = None, *, conditional: bool = False) -> Edge:
        """Connect two nodes of this graph."""
        edge = Edge(source.id, target.id, data, conditional)
        self.edges.append(edge)
        return edge

    def first_node(self) -> Node | None:
        """Return the one node that nothing goes to; None when there are several."""
        return self._only({edge.target for edge in self.edges})

    def last_node(self) -> Node | None:
        """Return the one node that nothing comes from; None when there are several."""
        return self._only({edge.source for edge in self.edges})

    def _only(self, others: set[str]) -> Node | None:
        found = [node for node in self.nodes.values() if node.id not in others]
        return found[0] if len(found) == 1 else None

    def draw_mermaid(self, *, with_styles: bool = True) -> str:
        """Return the graph as Mermaid text; without styles, nothing about colours is in it."""
        from modelport.runnables.drawing import mermaid

        return mermaid(self, with_styles=with_styles)

    def draw_ascii(self) -> str:
        """Return the graph drawn with ASCII characters (extra `graph`).

        Raises:
            MissingExtraError: The extra is not installed.
        """
        from modelport.runnables.drawing import ascii_text

        return ascii_text(self)

    def print_ascii(self) -> None:
        """Print what `draw_ascii` returns."""
        print(self.draw_ascii())  # noqa: T201 - it says so


class _Span(NamedTuple):
    """Is a drawn part of a graph: where things go in, and where they come out."""

    entries: list[Node]
    exits: list[Node]


def graph_of(runnable: Runnable[Any, Any]) -> Graph:
    """Return the graph of a runnable, from its input to its output."""
    graph = Graph()
    first = None if _fans(runnable, first=True) else _schema_node(graph, runnable, "input")
    body = _add(graph, runnable, is_first=True, is_last=True)
    if first is not None:
        for node in body.entries:
            graph.add_edge(first, node)
    if not _fans(runnable, first=False):
        last = _schema_node(graph, runnable, "output")
        for node in body.exits:
            graph.add_edge(node, last)
    place = {node: number for number, node in enumerate(graph.nodes)}
    graph.edges.sort(key=lambda edge: (place[edge.source], place[edge.target]))
    return graph


def _fans(runnable: Runnable[Any, Any], *, first: bool) -> bool:
    """Tell whether a runnable starts, or ends, with parallel steps: those have nodes for input and output."""
    parts = runnable.__modelport_parts__()
    if parts is not None and parts.shape == "sequence":
        return _fans(parts.arms[0 if first else -1].runnable, first=first)
    return parts is not None and parts.shape != "branch"


def _schema_node(graph: Graph, runnable: Runnable[Any, Any], end: str) -> Node:
    schema = runnable.get_input_schema() if end == "input" else runnable.get_output_schema()
    return graph.add_node(schema.__name__, schema)


def _add(graph: Graph, runnable: Runnable[Any, Any], *, is_first: bool, is_last: bool) -> _Span:
    """Add a runnable's nodes; parallel steps at an end of the whole have nodes for what goes in and comes out."""
    parts = runnable.__modelport_parts__()
    if parts is None:
        node = graph.add_node(runnable.get_name(), runnable)
        return _Span([node], [node])
    if parts.shape == "sequence":
        return _add_sequence(graph, parts, is_first=is_first, is_last=is_last)
    if parts.shape == "branch":
        return _add_branch(graph, runnable, parts)
    return _add_parallel(graph, runnable, parts, is_first=is_first, is_last=is_last)


def _add_sequence(graph: Graph, parts: Parts, *, is_first: bool, is_last: bool) -> _Span:
    last = len(parts.arms) - 1
    entries: list[Node] = []
    exits: list[Node] = []
    for place, arm in enumerate(parts.arms):
        step = _add(graph, arm.runnable, is_first=is_first and place == 0, is_last=is_last and place == last)
        for source in exits:
            for target in step.entries:
                graph.add_edge(source, target)
        entries, exits = entries or step.entries, step.exits
    return _Span(entries, exits)


def _add_parallel(graph: Graph, runnable: Runnable[Any, Any], parts: Parts, *, is_first: bool, is_last: bool) -> _Span:
    fans = len(parts.arms) > 1 or parts.shape == "assign"
    source = _schema_node(graph, runnable, "input") if fans or is_first else None
    spans = [_add(graph, arm.runnable, is_first=False, is_last=False) for arm in parts.arms]
    if parts.shape == "assign":
        kept = graph.add_node("Passthrough", runnable)
        spans.append(_Span([kept], [kept]))
    target = _schema_node(graph, runnable, "output") if fans or is_last else None
    entries = [node for span in spans for node in span.entries]
    exits = [node for span in spans for node in span.exits]
    if source is not None:
        for node in entries:
            graph.add_edge(source, node)
    if target is not None:
        for node in exits:
            graph.add_edge(node, target)
    return _Span([source] if source is not None else entries, [target] if target is not None else exits)


def _add_branch(graph: Graph, runnable: Runnable[Any, Any], parts: Parts) -> _Span:
    choice = graph.add_node(runnable.get_name(), runnable)
    exits: list[Node] = []
    for arm in parts.arms:
        span = _add(graph, arm.runnable, is_first=False, is_last=False)
        for node in span.entries:
            graph.add_edge(choice, node, arm.label, conditional=True)
        exits += span.exits
    return _Span([choice], exits)
