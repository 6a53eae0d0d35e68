"""Lines to copy: calls of this server by curl, Python and JavaScript."""

from __future__ import annotations

import json
from typing import Any

from modelport.gateway.openapi import MODEL

SERVER = "http://127.0.0.1:4000"
"""The address in the samples; the page puts its own there."""

_PYTHON = """import os
from openai import OpenAI

client = OpenAI(base_url="{server}/v1", api_key=os.environ["OPENAI_API_KEY"])
stream = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Say hello."}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
"""
_JAVASCRIPT = """import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{server}/v1", apiKey: process.env.OPENAI_API_KEY }});
const stream = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "Say hello." }}],
  stream: true,
}});
for await (const chunk of stream) {{
  process.stdout.write(chunk.choices[0].delta.content ?? "");
}}
"""


def chat_samples() -> dict[str, str]:
    """Return a chat by each kind of client."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}]}
    given = {"server": SERVER, "model": MODEL}
    return {
        "Chat by curl": curl_sample("POST", "/chat/completions", body),
        "Stream by Python": _PYTHON.format(**given),
        "Stream by JavaScript": _JAVASCRIPT.format(**given),
    }


def curl_sample(method: str, path: str, body: dict[str, Any] | None, *, is_root: bool = False) -> str:
    """Return the curl line of one call.

    Args:
        method: GET or POST.
        path: The path without `/v1`.
        body: The JSON to send; a POST without one sends a form, as image edits do.
        is_root: Whether the path has no `/v1`, and needs no key on this machine.
    """
    lines = [f"curl {SERVER}{'' if is_root else '/v1'}{path.replace('{id}', MODEL)}"]
    if not is_root:
        lines.append('-H "Authorization: Bearer $OPENAI_API_KEY"')
    if body is not None:
        lines += ['-H "Content-Type: application/json"', f"-d '{json.dumps(body)}'"]
    elif method == "POST":
        lines += [f"-F model={MODEL}", "-F image=@picture.png", '-F prompt="Make it night"']
    return " \\\n  ".join(lines)
