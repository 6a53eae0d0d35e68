"""What endpoints whose models do not answer in text have in common: what the model's method is called with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelport.engine.hooks import Hook
from modelport.gateway.answering import keywords
from modelport.runs.config import RunnableConfig
from modelport.wire.chat_request import BOOKKEEPING

if TYPE_CHECKING:
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange


def own_keywords(
    deployment: Deployment, model: Any, hook: Hook, options: Mapping[str, Any], *, reserved: frozenset[str]
) -> dict[str, Any]:
    """Return the options of a request, and the deployment's own, that the hook takes.

    Args:
        deployment: Who answers.
        model: Its model.
        hook: Its hook.
        options: The request's fields for the hook.
        reserved: The names of the hook's and the method's own parameters, which no client may fill.

    Raises:
        KeywordError: The model cannot do what an option asks for.
    """
    whole = {**deployment.source.defaults, **options}
    return keywords(model, hook, {name: whole[name] for name in whole if name not in reserved}, BOOKKEEPING)


def config_of(exchange: Exchange) -> RunnableConfig | None:
    """Return the config of a request's calls: how long they may take."""
    seconds = exchange.seconds_left()
    return None if seconds is None else {"timeout": seconds}
