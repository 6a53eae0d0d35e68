"""The same chat model as a LitServe API: `python conformance_litserve.py PORT`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import litserve


class Echo(litserve.LitAPI):
    """Answers with the last message, piece by piece, as LitServe's guide of its OpenAI spec shows it."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def predict(self, request: Any) -> Iterator[str]:
        """The answer, piece by piece."""
        content = request.messages[-1].content
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        for start in range(0, len(text), 3):
            yield text[start : start + 3]


if __name__ == "__main__":
    # Its tools over MCP are not asked, and do not start beside other releases of `mcp`.
    litserve.server._MCP_AVAILABLE = False
    server = litserve.LitServer(Echo(spec=litserve.OpenAISpec()), accelerator="cpu")
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
