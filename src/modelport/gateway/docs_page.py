"""The page at `/docs`: what this server is, its endpoints, and lines to copy; it loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, cast

from modelport._version import __version__
from modelport.gateway.docs_samples import SERVER, chat_samples, curl_sample
from modelport.gateway.openapi import openapi

_HERE = Path(__file__).parent
_STYLE = (_HERE / "docs_page.css").read_text(encoding="utf-8")
_SCRIPT = (_HERE / "docs_page.js").read_text(encoding="utf-8")
Node = dict[str, Any]


def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_hash_of(_STYLE)}; script-src {_hash_of(_SCRIPT)}; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Lets the page run its own style and script, and nothing else."""
DOCS_HEADERS: list[tuple[bytes, bytes]] = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
"""What the page is sent with, besides its content type `text/html; charset=utf-8`."""


@cache
def docs_html() -> bytes:
    """Return the page in UTF-8; it is made once, and is the same whatever is served and whoever asks."""
    document = openapi()
    endpoints = [
        _endpoint(document, path, method, cast("Node", operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in ("get", "post")
    ]
    return _PAGE.format(
        style=_STYLE,
        script=_SCRIPT,
        version=escape(__version__),
        base=_with_server(f"{SERVER}/v1"),
        samples="\n".join(_sample(name, text) for name, text in chat_samples().items()),
        models=_sample("Which models are there", curl_sample("GET", "/models", None)),
        endpoints="\n".join(endpoints),
    ).encode()


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>modelport</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
<h1>modelport <span class="version">{version}</span></h1>
<p>This server answers like OpenAI's API, for models of its own. Point any OpenAI client here:</p>
</header>
<main>
<div class="sample"><h3>Base URL</h3><pre><code>{base}</code></pre></div>

<h2>The key</h2>
<p>Send the key that you were given as <code>Authorization: Bearer …</code>, as OpenAI's clients do, or as
<code>x-api-key: …</code>. The lines below take it from the environment variable <code>OPENAI_API_KEY</code>. A server
that has no keys answers its own machine only; any text will do as the key there.</p>

<h2>Try it</h2>
{models}
{samples}

<h2>Endpoints</h2>
<p>Each path under <code>/v1</code> answers without it, too. Fields that are null count as absent; fields that are not
listed reach the model's code, if it takes them. Errors are OpenAI's error object, and every answer has an
<code>x-request-id</code>. For programs: <a href="openapi.json">openapi.json</a>.</p>
{endpoints}
</main>
<script>{script}</script>
</body>
</html>
"""


def _endpoint(document: Node, path: str, method: str, operation: Node) -> str:
    """Return one endpoint: its path and what it does; inside, its fields and a line to copy."""
    is_root = "servers" in document["paths"][path]
    shown = path if is_root else f"/v1{path}"
    bodies: Node = operation.get("requestBody", {"content": {}})["content"]
    inside = [f"<p>{_text(operation['description'])}</p>"] if "description" in operation else []
    for kind, body in bodies.items():
        schema = document["components"]["schemas"][body["schema"]["$ref"].rsplit("/", 1)[1]]
        rows = "\n".join(_field(name, node, schema["required"]) for name, node in _required_first(schema))
        inside.append(f"<h3>{escape(kind)}</h3>\n<dl>\n{rows}\n</dl>")
    example = next((body["example"] for body in bodies.values() if "example" in body), None)
    inside.append(_sample("curl", curl_sample(method.upper(), path, example, is_root=is_root)))
    return (
        f'<details class="{method}"{" open" if path == "/chat/completions" else ""}>\n'
        f'<summary><b class="method">{method.upper()}</b><code>{escape(shown)}</code>'
        f"<span>{_text(operation['summary'])}</span></summary>\n"
        f'<div class="inside">\n{"".join(inside)}\n</div>\n</details>'
    )


def _required_first(schema: Node) -> list[tuple[str, Node]]:
    return sorted(schema["properties"].items(), key=lambda entry: entry[0] not in schema["required"])


def _field(name: str, node: Node, required: list[str]) -> str:
    must = ' <span class="must">required</span>' if name in required else ""
    default = f"; {_value(node['default'])} without it" if "default" in node else ""
    return (
        f"<div><dt><code>{escape(name)}</code>{must}</dt>"
        f'<dd>{_text(node["description"])}<span class="kind">{escape(_kind(node))}{default}</span></dd></div>'
    )


def _kind(node: Node) -> str:
    """Return what a value may be, in words: `integer, 1 to 128`."""
    kinds = [one for one in node.get("anyOf", []) if one != {"type": "null"}]
    if kinds:
        return " or ".join(dict.fromkeys(_kind(one) for one in kinds))
    if "enum" in node:
        return " or ".join(map(_value, node["enum"]))
    if "$ref" in node:
        return "object"
    if node.get("type") == "array":
        return f"list of {_kind(node['items'])}"
    if "contentMediaType" in node:
        return "file"
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None and high < 2**53:
        return f"{node['type']}, {low} to {high}"
    return f"{node['type']}, at least {low}" if low is not None and high is None else str(node.get("type", "any"))


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(text: str) -> str:
    """Return a sentence as HTML; what is between backquotes is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if position % 2 else part for position, part in enumerate(parts))


def _sample(title: str, text: str) -> str:
    return f'<div class="sample"><h3>{escape(title)}</h3><pre><code>{_with_server(text)}</code></pre></div>'


def _with_server(text: str) -> str:
    return escape(text).replace(SERVER, f'<span class="server">{SERVER}</span>')
