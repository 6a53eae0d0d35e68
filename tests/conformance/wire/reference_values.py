"""The right server's vectors and images."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from tests.conformance.wire.http_server import HttpServer, RefusedError, Reply

MODEL = "echo"
Body = dict[str, Any]


class RightValues(HttpServer):
    """Answers what is no text."""

    def json(self, value: Any, status: int = 200) -> Reply:
        return Reply(status, json.dumps(value).encode(), {"content-type": "application/json"})

    def embed(self, body: Body) -> Reply:
        value = body.get("input")
        if value is None:
            raise RefusedError("no-input", "the input is missing", param="input")
        inputs = self.inputs_of(value)
        if not inputs:
            raise RefusedError("empty-list", "the input is empty", param="input")
        if body.get("encoding_format") not in (None, "float", "base64"):
            raise RefusedError("wrong-format", "the format is unknown", param="encoding_format")
        size = self.size_of(body)
        vectors = self.vectors([self.vector(one)[:size] for one in inputs])
        data = [
            {"object": "embedding", "index": index, "embedding": self.encoded(body, vector)}
            for index, vector in enumerate(vectors)
        ]
        count = len(inputs)
        usage = {"prompt_tokens": count, "total_tokens": count}
        return self.json(self.embedded(body, {"object": "list", "model": MODEL, "data": data, "usage": usage}))

    def inputs_of(self, value: Any) -> list[Any]:
        return [value] if isinstance(value, str) or (value and isinstance(value[0], int)) else value

    def size_of(self, body: Body) -> int:
        size = body.get("dimensions") or 4
        if size > 4:
            raise RefusedError("huge-dimensions", "too many", param="dimensions")
        return size

    def vector(self, value: Any) -> list[float]:
        return [float(len(value)), 0.25, 1.0, float(sum(map(hash, map(str, value))) % 89)]

    def vectors(self, vectors: list[list[float]]) -> list[list[float]]:
        return vectors

    def encoded(self, body: Body, vector: list[float]) -> Any:
        if body.get("encoding_format") != "base64":
            return vector
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

    def embedded(self, body: Body, value: Body) -> Body:
        return value

    def image(self, body: Body) -> Reply:
        if "prompt" not in body:
            raise RefusedError("no-image-prompt", "the prompt is missing", param="prompt")
        picture = base64.b64encode(b"pixels").decode()
        return self.json(
            self.drawn(body, {"created": 1_700_000_000, "data": [{"b64_json": picture}] * (body.get("n") or 1)})
        )

    def drawn(self, body: Body, value: Body) -> Body:
        return value
