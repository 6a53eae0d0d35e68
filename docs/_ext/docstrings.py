"""Reads our docstrings, Markdown in Google's sections, as Sphinx wants them; links the names that they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from docutils import nodes
from pydantic import BaseModel
from sphinx import addnodes

import modelport

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"(?<![`:\w])`([^`]+)`(?!`)")
PUBLIC = "modelport"
COLON = "\ue000"
"""Stands for a colon that is none to napoleon."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Join what Sphinx tells of docstrings, members and links."""
    app.connect("autodoc-process-docstring", _as_restructured_text, priority=400)
    app.connect("autodoc-process-docstring", _with_colons, priority=600)
    app.connect("autodoc-process-signature", _signature_of_authored_models)
    app.connect("autodoc-skip-member", _is_skipped)
    app.connect("missing-reference", _found_elsewhere)
    app.connect("doctree-read", _with_exact_links)
    return {"parallel_read_safe": True}


def _as_restructured_text(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Make `code` of Markdown a link or a literal, and indented blocks literal."""
    del app, name, obj, options
    text = CODE.sub(lambda found: _code(" ".join(found[1].split())), "\n".join(lines))
    lines[:] = _with_literal_blocks(text.splitlines())
    if lines and what in ("attribute", "property", "data"):
        # Google's style has a type before a colon in an attribute's first line; ours has a sentence.
        lines[0] = lines[0].replace(": ", f"{COLON} ")


def _with_colons(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Give sentences their colons back, after napoleon has read them."""
    del app, what, name, obj, options
    lines[:] = [line.replace(COLON, ":") for line in lines]


def _code(text: str) -> str:
    target = _public_names().get(text.removesuffix("()"))
    return rf":py:obj:`{text} <{target}>`\ " if target else rf"``{text}``\ "


def _with_literal_blocks(lines: list[str]) -> Iterator[str]:
    """Yield lines, with the mark of a literal block before what is indented without being a section's or an item's."""
    for before, line in zip(["", *lines], lines, strict=False):
        starts = not before and line.startswith("    ") and not line.lstrip().startswith(("-", "*"))
        yield from (["::", "", line] if starts and _is_code(line) else [line])


def _is_code(line: str) -> bool:
    return bool(re.search(r"[=({]|^\s+from |├|500 server_error", line))


@cache
def _public_names() -> dict[str, str]:
    """Return where the reference has the names that docstrings may say: `LLM`, `LLM.invoke`."""
    found: dict[str, str] = {}
    for name in modelport.__all__:
        value = getattr(modelport, name)
        found[name] = f"{PUBLIC}.{name}"
        if isinstance(value, type):
            own = [one for one in vars(value) if not one.startswith("_") and callable(getattr(value, one))]
            found.update((f"{name}.{one}", f"{PUBLIC}.{name}.{one}") for one in own)
    return found


def _signature_of_authored_models(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returned: str | None
) -> tuple[str, None] | None:
    """Say that a model is made with its fields, which are listed below it."""
    del app, what, name, options, signature, returned
    if isinstance(obj, type) and issubclass(obj, BaseModel):
        return "(**fields)", None
    return None


def _is_skipped(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out pydantic's own members and what has no words."""
    del app, what, options, skip
    if name.startswith("model_") or name in {"copy", "construct", "from_orm", "json", "parse_obj", "validate"}:
        return True
    module = getattr(obj, "__module__", None) or ""
    return True if module.startswith("pydantic") else None


def _with_exact_links(app: Sphinx, doctree: nodes.document) -> None:
    """Let a public name in a signature be that one, and `type` no field of that name."""
    del app
    for node in list(doctree.findall(addnodes.pending_xref)):
        if node.get("refdomain") != "py":
            continue
        if node["reftarget"] in modelport.__all__:
            node["reftarget"] = f"{PUBLIC}.{node['reftarget']}"
        elif node["reftarget"] == "type":
            node.replace_self(nodes.Text(node.astext() if len(node.children) == 1 else "type"))


def _found_elsewhere(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.Node | None:
    """Link a type by the name under which it is public; show one that is not public, or another package's, as text."""
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"]
    name = target.rpartition(".")[2]
    domain = env.get_domain("py")
    for place in (f"{PUBLIC}.{name}", f"{PUBLIC}.testing.{name}", f"{PUBLIC}.providers.{name}"):
        if place in domain.objects:
            found = domain.objects[place]
            refuri = app.builder.get_relative_uri(node["refdoc"], found.docname) + "#" + found.node_id
            return nodes.reference("", "", contnode, internal=True, refuri=refuri, reftitle=place)
    # What a page or a docstring links by hand has to be there; a signature may name what is not documented.
    return None if node.get("refexplicit") else contnode
