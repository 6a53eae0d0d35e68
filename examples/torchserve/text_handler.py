"""A text handler for torch-serve, as `torch_serve()` of modelport's recipes speaks to it.

The model is one of torch that anybody can check: it says the prompt's words backwards, last word first, by
`torch.flip`. What is around it is what a handler of yours needs: whole answers, streams, limits and counts.

    python archive.py text.mar
    torchserve --start --ncs --disable-token-auth --model-store . --models text=text.mar

and then, in Python or below `params` in a config.yaml: `HTTPModel(**torch_serve("text"))`.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from ts.handler_utils.utils import send_intermediate_predict_response
from ts.torch_handler.base_handler import BaseHandler


class TextHandler(BaseHandler):
    """Answers `{"prompt", "max_tokens", "stream"}` with `{"text", …}`; a stream is lines of JSON."""

    def initialize(self, context: Any) -> None:
        """Load the model."""
        self.context = context
        self.initialized = True

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[str]:
        """Answer a batch of requests; torch-serve streams only batches of one."""
        return [self._answer(_request(row), context) for row in data]

    def _answer(self, request: dict[str, Any], context: Any) -> str:
        words = request["prompt"].split()
        order: list[int] = torch.flip(torch.arange(len(words)), dims=(0,)).tolist()
        limit = request.get("max_tokens") or len(order)
        pieces = [(" " if place else "") + words[index] for place, index in enumerate(order[:limit])]
        facts = {
            "finish_reason": "length" if limit < len(order) else "stop",
            "prompt_tokens": len(words),
            "completion_tokens": len(pieces),
        }
        if not request.get("stream"):
            return json.dumps({"text": "".join(pieces), **facts})
        for piece in pieces:
            line = json.dumps({"text": piece}) + "\n"
            send_intermediate_predict_response([line], context.request_ids, "", 200, context)
        return json.dumps({"done": True, **facts}) + "\n"


def _request(row: dict[str, Any]) -> dict[str, Any]:
    body: Any = row.get("body") or row.get("data")
    return json.loads(body) if isinstance(body, (str, bytes, bytearray)) else body
