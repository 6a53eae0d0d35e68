"""Drawings of graphs: Mermaid text, and ASCII by netext."""

from __future__ import annotations

import io
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from modelport.values.errors import MissingExtraError

if TYPE_CHECKING:
    from modelport.runnables.graph import Edge, Graph

_MERMAID_ENTITIES = str.maketrans({
    "#": "#35;",
    "&": "#amp;",
    "<": "#lt;",
    ">": "#gt;",
    '"': "#quot;",
    "`": "#96;",
    ";": "#59;",
    "\\": "#92;",
    "\n": " ",
    "\r": " ",
})  # fmt: skip
_MERMAID_STYLES = """\
    classDef default fill:#f2f0ff,line-height:1.2
    classDef first fill-opacity:0
    classDef last fill:#bfb6fc
"""
_CANVAS_COLUMNS = 10_000
"""How wide a drawing may get; nothing is wrapped or cut before."""
_REPEATED_LINES = 2
"""How many equal lines of bare edges stand below each other; more say nothing."""


def mermaid(graph: Graph, *, with_styles: bool) -> str:
    """Return a graph as Mermaid text, top down; conditional edges are dotted."""
    first, last = graph.first_node(), graph.last_node()
    lines = ["graph TD;"]
    for node in graph.nodes.values():
        label = f'"{_label(node.name)}"'
        if with_styles and node is first:
            lines.append(f"    {node.id}([{label}]):::first")
        elif with_styles and node is last:
            lines.append(f"    {node.id}([{label}]):::last")
        else:
            lines.append(f"    {node.id}({label})")
    lines += [f"    {edge.source} {_arrow(edge)} {edge.target};" for edge in graph.edges]
    return "\n".join(lines) + "\n" + (_MERMAID_STYLES if with_styles else "")


def _label(text: str) -> str:
    return text.translate(_MERMAID_ENTITIES)


def _arrow(edge: Edge) -> str:
    if not edge.conditional:
        return "-->"
    return "-.->" if edge.data is None else f'-. "{_label(edge.data)}" .->'


def ascii_text(graph: Graph) -> str:
    """Return a graph drawn with ASCII characters, top down.

    Raises:
        MissingExtraError: netext is not installed.
    """
    try:
        from netext import ArrowTip, ConsoleGraph, EdgeSegmentDrawingMode  # pyright: ignore[reportMissingTypeStubs]
        from rich import box
        from rich.console import Console
        from rich.text import Text
    except ImportError as error:
        raise MissingExtraError("drawing a graph as ASCII text", "graph") from error

    def plain(_: str, data: dict[str, Any], __: Any) -> Text:
        return Text(data["name"])  # as it is: a text that looks like markup is a name

    nodes: dict[Hashable, dict[str, Any]] = {
        node.id: {"$box-type": box.ASCII, "$content-renderer": plain, "name": node.name.replace("\n", " ")}
        for node in graph.nodes.values()
    }
    lines = {"$edge-segment-drawing-mode": EdgeSegmentDrawingMode.ASCII, "$end-arrow-tip": ArrowTip.ARROW}
    edges = [
        (edge.source, edge.target, {**lines, "$label": edge.data} if edge.data is not None else lines)
        for edge in graph.edges
    ]
    console = Console(file=io.StringIO(), width=_CANVAS_COLUMNS, color_system=None, force_terminal=False)
    with console.capture() as drawn:
        console.print(ConsoleGraph(nodes=nodes, edges=edges, console=console))
    return _tightened(drawn.get())


def _tightened(drawing: str) -> str:
    """Return a drawing without trailing blanks and without the middle of long straight edges."""
    kept: list[str] = []
    for line in drawing.splitlines():
        bare = line.rstrip()
        if not (set(bare) <= {" ", "|"} and kept[-_REPEATED_LINES:] == [bare] * _REPEATED_LINES):
            kept.append(bare)
    return "\n".join(kept).strip("\n")
