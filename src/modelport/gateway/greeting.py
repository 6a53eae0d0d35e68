"""What a person who starts a gateway reads: where it is, which models it has, who may call, and a line to try."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from modelport.gateway.settings import ServerSettings

KEY_VARIABLE = "MODELPORT_KEY"
"""The environment variable that the line to try takes the key from."""
_MESSAGES = [{"role": "user", "content": "Hello!"}]
_CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat/completions", {"messages": _MESSAGES}),
    "embedding": ("embeddings", {"input": "Hello!"}),
    "image": ("images/generations", {"prompt": "a lighthouse"}),
    "rerank": ("rerank", {"query": "Hello!", "documents": ["Hi!", "Bye!"]}),
}


class ModelLine(msgspec.Struct, frozen=True):
    """Says of one model what the table shows."""

    name: str
    """The name that clients ask for; may hold a `*`."""
    kinds: tuple[str, ...] = ("chat",)
    """What it can do: `chat`, `embedding`, `image`, `rerank`; the first is the one to try."""
    deployments: tuple[str, ...] = ()
    """What answers, as the config says: `my_models:MyLLM`, `openai/gpt-4o`."""


def greeting(
    models: Sequence[ModelLine], server: ServerSettings, address: tuple[str, int], generated_key: str | None = None
) -> list[str]:
    """Return the lines; the first says where the gateway is.

    Args:
        models: What it serves.
        server: How.
        address: The numeric host and the port that it listens on.
        generated_key: The key that was made for this run; printed here and nowhere else.
    """
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    who = "who has a key" if server.keys else "on this machine (no key is configured)"
    lines = [f"modelport serves http://{host}:{address[1]}/v1 to everybody {who}", "", *_table(models), ""]
    if generated_key is not None:
        lines.append(f"key, made for this run: {generated_key}")
    elif server.keys:
        lines.append(f"keys: {len(server.keys)} configured")
    if server.workers > 1:
        lines.append(f"workers: {server.workers}")
    if limits := _limits(server):
        lines.append(f"limits: {limits}")
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address[0], host)  # noqa: S104 - read, not listened on
    key = generated_key if generated_key is not None else f"${KEY_VARIABLE}" if server.keys else None
    return [*lines, "try it:", f"  {_line_to_try(models, f'http://{here}:{address[1]}/v1', key)}"]


def _table(models: Sequence[ModelLine]) -> list[str]:
    rows = [("MODEL", "KIND", "ANSWERED BY")]
    rows += [(model.name, ", ".join(model.kinds), _answered_by(model)) for model in models]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in rows]


def _answered_by(model: ModelLine) -> str:
    counts = dict.fromkeys(model.deployments, 0)
    for use in model.deployments:
        counts[use] += 1
    return ", ".join(use if count == 1 else f"{count} x {use}" for use, count in counts.items())


def _limits(server: ServerSettings) -> str:
    limits = [
        f"{name.replace('_', ' ').replace(' seconds', '')} {value:g}{' s' if name.endswith('_seconds') else ''}"
        for name in sorted(server.limits.model_fields_set)
        if (value := getattr(server.limits, name)) is not None
    ]
    limited = sum(
        1 for key in server.keys if key.requests_per_minute or key.tokens_per_minute or key.max_parallel_requests
    )
    if limited:
        limits.append(f"{limited} of the keys")
    return ", ".join(limits)


def _line_to_try(models: Sequence[ModelLine], url: str, key: str | None) -> str:
    header = f' -H "Authorization: Bearer {key}"' if key is not None else ""
    model = next((one for one in models if "*" not in one.name and one.kinds and one.kinds[0] in _CALLS), None)
    if model is None:
        return f"curl {shlex.quote(f'{url}/models')}{header}"
    path, body = _CALLS[model.kinds[0]]
    said = shlex.quote(json.dumps({"model": model.name, **body}))
    return f'curl {shlex.quote(f"{url}/{path}")}{header} -H "Content-Type: application/json" -d {said}'
