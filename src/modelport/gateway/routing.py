"""Which deployments answer a name: exact names, aliases, wildcards; the least busy one first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from modelport.values.errors import ModelNotFoundError
from modelport.values.status_errors import UnavailableError

if TYPE_CHECKING:
    from modelport.gateway.deployment import Deployment

Choice = tuple["Deployment", int]
"""A deployment that is to answer, and the permit of its breaker."""
_RETRYABLE = frozenset({408, 425, 429})
"""The statuses under 500 that another attempt may change."""


class Route:
    """Is what answers one name: its deployments, and what to do when they fail."""

    __slots__ = ("_next", "deployments", "fallbacks", "is_plain", "name", "retries")

    def __init__(
        self, name: str, deployments: Sequence[Deployment], *, retries: int = 0, fallbacks: Sequence[str] = ()
    ) -> None:
        self.name = name
        """The configured name."""
        self.deployments = deployments
        """Who answers, at least one."""
        self.retries = retries
        """How many further attempts there are before the first byte."""
        self.fallbacks = fallbacks
        """The names that are asked when all attempts failed."""
        self.is_plain = len(deployments) == 1 and not retries and not fallbacks
        """Whether there is one deployment and one attempt."""
        self._next = 0

    def choose(self, tried: Sequence[Deployment] = ()) -> Choice:
        """Return the deployment with the fewest requests, of equal ones in turn; those not yet tried come first.

        With it comes the permit of its breaker, which is to hear how the call ended; 0 without a breaker.

        Raises:
            UnavailableError: All are being left alone because they kept failing.
        """
        if len(self.deployments) == 1:
            only = self.deployments[0]
            if only.breaker is None:
                return only, 0
            if permit := only.breaker.allows():
                return only, permit
        else:
            self._next += 1
            turn = self._next % len(self.deployments)
            in_turn = [*self.deployments[turn:], *self.deployments[:turn]]
            in_turn.sort(key=lambda one: (one in tried, one.gate.running + one.gate.waiting))
            for one in in_turn:
                if one.breaker is None:
                    return one, 0
                if permit := one.breaker.allows():
                    return one, permit
        waits = [one.breaker.seconds_left for one in self.deployments if one.breaker is not None]
        raise UnavailableError(
            f"the model {self.name!r} keeps failing and is left alone for a while; try again later",
            code="model_unavailable",
            retry_after=min(waits, default=1.0),
        )

    def filled(self, name: str) -> Route:
        """Return this route for what stands in the place of its wildcard."""
        return Route(
            self.name,
            [one.filled(name) for one in self.deployments],
            retries=self.retries,
            fallbacks=self.fallbacks,
        )


def is_retryable(error: BaseException) -> bool:
    """Tell whether another attempt may end differently: after 408, 425, 429, any 5xx, and what has no status."""
    status = getattr(error, "status_code", None)
    if isinstance(status, bool) or not isinstance(status, int):
        return True
    return status in _RETRYABLE or not 400 <= status < 500


class Router:
    """Finds the route of a name that a client asks for."""

    def __init__(self, routes: Iterable[Route], aliases: Mapping[str, str] | None = None) -> None:
        self._exact = {route.name: route for route in routes}
        self._aliases = dict(aliases or {})
        for alias, name in self._aliases.items():
            if name in self._exact:
                self._exact.setdefault(alias, self._exact[name])
        # The longest literal beginning is the most particular one.
        wildcards = [route for route in self._exact.values() if "*" in route.name]
        self._wildcards = sorted(wildcards, key=lambda route: len(route.name), reverse=True)
        for route in self._wildcards:
            del self._exact[route.name]

    def __iter__(self) -> Iterator[Route]:
        """Yield each route once, however many names it has."""
        return iter({id(route): route for route in [*self._exact.values(), *self._wildcards]}.values())

    def names(self) -> list[str]:
        """Return the names that can be asked for as they are: no wildcards."""
        return list(self._exact)

    def route(self, name: str) -> Route:
        """Return the route of a name.

        Raises:
            ModelNotFoundError: No model has it; the message says which name is near.
        """
        route = self._exact.get(name)
        if route is not None:
            return route
        name = self._aliases.get(name, name)
        for route in self._wildcards:
            begin, _, end = route.name.partition("*")
            if len(name) > len(begin) + len(end) and name.startswith(begin) and name.endswith(end):
                # `openai/*` stands for what comes after the slash, `gpt-*` for the whole name.
                return route.filled(name[len(begin) :] if begin.endswith("/") and not end else name)
        near = difflib.get_close_matches(name, self._exact, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "GET /v1/models lists the models there are"
        raise ModelNotFoundError(f"the model {name!r:.200} does not exist; {hint}")
