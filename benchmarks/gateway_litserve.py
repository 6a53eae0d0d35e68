"""The models of the gateway benchmark as a LitServe API: `python gateway_litserve.py PORT`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import litserve

from gateway_tokens import DELAYS_SECONDS, paced


class Echo(litserve.LitAPI):
    """Answers with the last message, or with as many tokens as it says."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    async def predict(self, request: Any, **kwargs: Any) -> AsyncIterator[str]:
        """The answer, token by token if the client asked for that."""
        text = request.messages[-1].content
        delay = DELAYS_SECONDS.get(request.model)
        if delay is not None:
            async for token in paced(int(text), delay):
                yield token
        elif request.stream:
            for token in text:
                yield token
        else:
            yield text


if __name__ == "__main__":
    # Its tools over MCP are not measured, and do not start beside other releases of `mcp`.
    litserve.server._MCP_AVAILABLE = False
    api = Echo(enable_async=True, spec=litserve.OpenAISpec())
    server = litserve.LitServer(api, accelerator="cpu", timeout=False)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
