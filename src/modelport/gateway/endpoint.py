"""What an endpoint says of its path: what its requests are, and how a deployment answers one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord


class ModelRequest(Protocol):
    """Is what the requests of all endpoints have in common."""

    @property
    def model(self) -> str:
        """The name that the client asks for."""
        ...

    @property
    def stream(self) -> bool:
        """Whether the answer comes piece by piece."""
        ...


R = TypeVar("R", bound=ModelRequest)


class Endpoint(Protocol[R]):
    """Says what one path takes and how a deployment answers it."""

    path: str
    """The path without `/v1`."""

    def decode(self, raw: bytes, exchange: Exchange) -> R:
        """Return the request in a body; of a large one this is called in a thread.

        Args:
            raw: The body.
            exchange: Has the headers.

        Raises:
            InputError: It is wrong.
        """
        ...

    async def answer(self, request: R, deployment: Deployment, exchange: Exchange, record: RequestRecord) -> None:
        """Let a deployment answer.

        Raises:
            Exception: Whatever the model raised; before the first byte another one may be asked.
        """
        ...
