"""Directives that list what the code has: names of a module, checks, commands, keys of the config."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import modelport

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

MODULES = (
    "modelport",
    "modelport.testing",
    "modelport.testing.pytest",
    "modelport.providers",
    "modelport.testing.wire",
    "modelport.integrations.langchain",
    "modelport.integrations.litellm",
)
"""All their public names have an entry in the reference."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Offer the directives, and hold the reference to the public names."""
    app.add_directive("names", Names)
    app.add_directive("classes", Classes)
    app.add_directive("checks", Checks)
    app.add_directive("commands", Commands)
    app.add_directive("config-keys", ConfigKeys)
    app.connect("env-check-consistency", _check_public_names)
    return {"parallel_read_safe": True}


def public_names(module_name: str) -> list[str]:
    """Return the names that a module offers, in its own order."""
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", None) or [name for name in dir(module) if _is_offered(name, module)]
    return [name for name in names if not name.startswith("_")]


def _is_offered(name: str, module: ModuleType) -> bool:
    """Tell whether a module without `__all__` offers a name: a package what its modules have, a module its own."""
    value = getattr(module, name)
    home = getattr(value, "__module__", None) or ""
    inside = f"{module.__name__}." if hasattr(module, "__path__") else module.__name__
    return not inspect.ismodule(value) and home.startswith(inside)


def _check_public_names(app: Sphinx, env: Any) -> None:
    del app
    entries = env.get_domain("py").objects
    missing = [f"{module}.{name}" for module in MODULES for name in public_names(module)]
    missing = [name for name in missing if name not in entries]
    if missing:
        raise ExtensionError(f"no page of the reference has {', '.join(missing)}")


class Listing(SphinxDirective):
    """Is a directive that writes Markdown in its place."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return what the Markdown stands for."""
        text = "\n".join(self.lines(*self.arguments))
        return self.parse_text_to_nodes(text, allow_section_headings=True)

    def lines(self, *arguments: str) -> Iterator[str]:
        """Yield the Markdown's lines."""
        raise NotImplementedError


class Names(Listing):
    """Lists a module's public names with a sentence each: those that are explained at their own place."""

    def lines(self, module_name: str = "") -> Iterator[str]:
        """Yield an entry for each name."""
        module = importlib.import_module(module_name)
        known = {id(getattr(modelport, name)): name for name in modelport.__all__ if not name.startswith("_")}
        for name in public_names(module_name):
            value = getattr(module, name)
            kind = "class" if isinstance(value, type) else "data"
            if callable(value) and kind == "data":
                kind = "function"
            yield from (f":::{{py:{kind}}} {module_name}.{name}" + ("(…)" if kind == "function" else ""), "")
            yield from (_sentence(value, known.get(id(value))), ":::", "")


def _sentence(value: Any, public: str | None) -> str:
    if public is not None:
        return f"Is {{py:obj}}`modelport.{public}`."
    if not callable(value):
        return f"Is a `{type(value).__name__}`."
    return (inspect.getdoc(value) or "").partition("\n\n")[0]


class Classes(Listing):
    """Documents a module's public classes whose names have one of the given patterns."""

    optional_arguments = 9

    def lines(self, module_name: str = "", *patterns: str) -> Iterator[str]:
        """Yield an autodoc directive for each class, with the members that it has itself."""
        for name in public_names(module_name):
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                one = getattr(importlib.import_module(module_name), name)
                own = [member for member in {**one.__annotations__, **vars(one)} if member[0] != "_"]
                yield from ("```{eval-rst}", f".. autoclass:: {module_name}.{name}")
                yield from ((f"   :members: {', '.join(own)}",) if own else ())
                yield from ("```", "")


class Checks(Listing):
    """Lists the checks of the given guarantees, to unfold; or all by guarantee; or, for `wire`, all of servers."""

    def lines(self, areas: str = "") -> Iterator[str]:
        """Yield the checks' ids and sentences; a check that exists for each way to call is one entry."""
        from modelport.testing import all_checks
        from modelport.testing.wire import all_wire_checks

        is_list = areas in ("", "wire")
        by_area: dict[str, list[Any]] = {}
        for one in all_wire_checks() if areas == "wire" else all_checks():
            by_area.setdefault(one.area, []).append(one)
        for area in by_area if is_list else areas.split(","):
            if area not in by_area:
                raise self.error(f"there is no check of {area!r}")
            title = f"{len(by_area[area])} checks of {area}"
            yield from ((f"## {area}", "") if is_list else ("<details>", f"<summary>{title}</summary>", ""))
            yield from _entries(by_area[area])
            yield from (() if is_list else ("</details>", ""))


def _entries(checks: list[Any]) -> Iterator[str]:
    """Yield an entry for each property; those that are checked in several ways are one."""
    ways: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], Any] = {}
    for one in checks:
        area, way, variant = one.id.split(":")
        ways.setdefault((area, variant), []).append(way)
        first.setdefault((area, variant), one)
    for key, one in first.items():
        others = ", ".join(f"`{way}`" for way in ways[key][1:])
        yield from (f"`{one.id}`", f": {_plain(one.sentence)}{others and f' The same for {others}.'}", "")


class Commands(Listing):
    """Lists the commands of `modelport` with their arguments and options."""

    def lines(self, *arguments: str) -> Iterator[str]:
        """Yield a section for each command."""
        import typer

        from modelport.cli.app import app

        yield from self._of("modelport", typer.main.get_command(app))

    def _of(self, path: str, command: Any) -> Iterator[str]:
        inner = getattr(command, "commands", None)
        if inner is None or path == "modelport":
            yield from self._one(path, command)
        for name, one in (inner or {}).items():
            if not one.hidden:
                yield from self._of(f"{path} {name}", one)

    def _one(self, path: str, command: Any) -> Iterator[str]:
        named = [one for one in command.params if one.opts[0].startswith("-") and not getattr(one, "hidden", False)]
        placed = [one for one in command.params if not one.opts[0].startswith("-")]
        words = [path, *(["[OPTIONS]"] if named else []), *(_metavar(one) for one in placed)]
        if path == "modelport":
            words.append("COMMAND")
        yield from (f"## {path}", "", f"`{' '.join(words)}`", "", *_paragraphs(command.help or ""), "")
        for one in [*placed, *named]:
            value = "" if getattr(one, "is_flag", False) else f" {_metavar(one)}"
            shown = _metavar(one) if one in placed else ", ".join(one.opts) + value
            yield from (f"`{shown}`", f": {_plain(one.help or '')}", "")


def _metavar(parameter: Any) -> str:
    return parameter.metavar or parameter.name.upper()


def _paragraphs(text: str) -> Iterator[str]:
    """Yield a help text; paragraphs that show commands are code."""
    for paragraph in inspect.cleandoc(text).replace("\b", "").split("\n\n"):
        shows_commands = re.search(r":  +\S", paragraph)
        yield from (("```text", paragraph.strip("\n"), "```", "") if shows_commands else (_plain(paragraph), ""))


def _plain(text: str) -> str:
    text = re.sub(r"\[/?[a-z ]+\]", "", " ".join(text.split()))
    text = re.sub(r"(?<![`\w-])--[a-z][\w-]*", lambda option: f"`{option[0]}`", text)
    # Stars and angles outside code are what they are.
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*<_\[\]|])", r"\\\1", part) for part in parts)


class ConfigKeys(Listing):
    """Lists every key of a config by its whole path."""

    def lines(self, *arguments: str) -> Iterator[str]:
        """Yield the keys, from the outermost inwards."""
        from modelport.gateway.config_schema import config_schema

        schema = config_schema()
        for section in schema["properties"]:
            yield from (f"## {section}", "")
            yield from self._keys({section: schema["properties"][section]}, schema, "", set())

    def _keys(self, fields: dict[str, Any], schema: dict[str, Any], before: str, required: set[str]) -> Iterator[str]:
        for name, field in fields.items():
            path = f"{before}{name}"
            note = "Required. " if name in required else ""
            if "default" in field:
                note = f"Default: `{json.dumps(field['default'])}`. "
            yield from (f"`{path}`", f": {note}{_plain(field.get('description', ''))}", "")
            reference, many = _reference(field)
            if reference:
                definition = schema["$defs"][reference.rpartition("/")[2]]
                yield from self._keys(
                    definition["properties"], schema, f"{path}{many}.", set(definition.get("required", ()))
                )


def _reference(field: Any) -> tuple[str | None, str]:
    """Return which class a field's value is of, and how its place among others is written."""
    if not isinstance(field, dict):
        return None, ""
    if "$ref" in field:
        return field["$ref"], ""
    for key, written in (("additionalProperties", ".NAME"), ("items", "[]")):
        found, _ = _reference(field.get(key))
        if found:
            return found, written
    for one in field.get("anyOf", ()):
        found, written = _reference(one)
        if found:
            return found, written
    return None, ""
