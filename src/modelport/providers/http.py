"""`HTTPModel` and `HTTPChatModel`: any JSON API as a model, by template and without code.

    HTTPModel(
        url="http://localhost:8080/predictions/my-model",
        body={"prompt": "{{ prompt }}", "max_tokens": "{{ max_tokens }}"},
        text_path="text",
    )

The same keys stand in `params` of a `config.yaml`. `recipes` has settings for some servers.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from modelport.engine.state import say_once, state_of
from modelport.engine.tokens import TokenBudget, estimate_tokens
from modelport.models.chat import ChatModel
from modelport.models.llm import LLM
from modelport.models.templates import apply_chat_template
from modelport.providers.endpoint import checked_url, plain_headers
from modelport.providers.framing import EventFraming, Framing, LineFraming, TextFraming
from modelport.providers.http_settings import HTTPEndpoint, secret_of
from modelport.values.errors import InputError, KeywordError
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import Message
from modelport.values.prompt_values import flatten_messages, message_to_dict
from modelport.wire.json_text import encode_json

if TYPE_CHECKING:
    from modelport.providers.exchange import Exchange

logger = logging.getLogger("modelport.providers")

_FRAMINGS: dict[str, type[EventFraming | LineFraming | TextFraming]] = {
    "sse": EventFraming,
    "ndjson": LineFraming,
    "text": TextFraming,
}
_MUST_BE_USED = ("tools", "response_format")
"""Keywords that change what an answer is: a template that ignores them must not get them silently."""


class HTTPAnswering(HTTPEndpoint):
    """Is how text and chat models behind a JSON API answer."""

    async def _whole(self, variables: dict[str, Any]) -> Generation:
        from modelport.providers.http_answers import WholeAnswer

        async with self._exchange(variables) as exchange:
            answer = WholeAnswer(self, exchange).read(await exchange.read())
        budget = self._budget(variables)
        if budget is not None:
            answer.text = budget.push(answer.text)
            answer.finish_reason = "length" if budget.exceeded else answer.finish_reason
        return answer

    async def _streamed(self, variables: dict[str, Any]) -> AsyncGenerator[Any, None]:
        if self.streaming is None:
            yield await self._whole({**variables, "stream": False})
            return
        from modelport.providers.http_answers import StreamedAnswer

        framing: Framing = _FRAMINGS[self.streaming.format]()
        budget = self._budget(variables)
        async with self._exchange(variables) as exchange:
            answer = StreamedAnswer(self, exchange)
            async with aclosing(exchange.messages(framing)) as batches:
                async for messages in batches:
                    for piece in answer.pieces(messages):
                        yield piece if budget is None else _within(piece, budget)
                        if budget is not None and budget.exceeded:
                            yield GenerationChunk("", "length")
                            return
                    if answer.done:
                        exchange.end()
                        break
            yield answer.last()

    def _exchange(self, variables: Mapping[str, Any]) -> Exchange:
        """Return a request's exchange, not yet sent.

        Raises:
            InputError: A template uses a name that is not given, or fails.
        """
        from modelport.providers.exchange import Exchange, Request
        from modelport.providers.http_answers import error_text, header_texts
        from modelport.providers.http_templates import fill

        url, body, place = self.url, self.body, "body"
        if variables["stream"] and self.streaming is not None:
            url = self.streaming.url or url
            if self.streaming.body is not None:
                body, place = self.streaming.body, "streaming.body"
        headers = header_texts(fill(plain_headers(self.headers), variables, "headers"))
        content = fill(body, variables, place)
        if isinstance(content, str):
            headers.setdefault("content-type", "text/plain; charset=utf-8")
            content = content.encode("utf-8", "surrogatepass")
        elif content is not None:
            headers.setdefault("content-type", "application/json")
            content = encode_json(content)
        request = Request(self.method, self._filled_url(url, variables), headers, content)
        return Exchange(self, request, partial(error_text, self))

    def _filled_url(self, url: str, variables: Mapping[str, Any]) -> str:
        from modelport.providers.http_templates import fill

        filled = fill(url, variables, "url", is_url=True)
        if "{" in url:
            try:
                checked_url(filled)
            except ValueError as error:
                hint = "; write {{ name | safe }} for what is not to be percent-encoded"
                raise InputError(self.scrub(f"url: {url!r} {error}{hint}")) from None
        return filled

    def _variables(
        self,
        prompt: str,
        messages: Sequence[Message],
        stop: Sequence[str] | None,
        call: Mapping[str, Any],
        *,
        stream: bool,
    ) -> dict[str, Any]:
        """Return what the templates see.

        Raises:
            KeywordError: The call asks for tools or a response format, and no template uses them.
        """
        params = {**self.defaults, **{name: value for name, value in call.items() if value is not None}}
        self._check_used(call, stream)
        own = {
            "prompt": prompt,
            "messages": [message_to_dict(message) for message in messages],
            "stop": list(stop) if stop else params.get("stop"),
            "max_tokens": params.get("max_tokens"),
            "stream": stream,
            "model": self.model,
            "api_key": secret_of(self.api_key),
            "params": params,
        }
        return {**params, **own}

    def _check_used(self, call: Mapping[str, Any], stream: bool) -> None:
        names = self.template_names(stream) if call else frozenset({"params"})
        if "params" in names:
            return
        unused = [name for name, value in call.items() if name not in names and value is not None]
        for name in _MUST_BE_USED:
            if name in unused:
                raise KeywordError(f"{type(self).__name__} takes no {name!r}: no template uses it", param=name)
        dropped = [name for name in unused if name != "max_tokens"]
        if dropped:
            say_once(
                state_of(self),
                "keywords that no template uses",
                lambda: logger.warning("%s: no template uses %s: dropped", self.get_name(), ", ".join(dropped)[:200]),
            )

    def _budget(self, variables: Mapping[str, Any]) -> TokenBudget | None:
        """Return what cuts the answer when the server is not told how long it may be."""
        limit = variables["max_tokens"]
        if limit is None or not self.template_names(variables["stream"]).isdisjoint(("max_tokens", "params")):
            return None
        return TokenBudget(limit, estimate_tokens)


def _within(piece: str | GenerationChunk, budget: TokenBudget) -> str | GenerationChunk:
    if isinstance(piece, str):
        return budget.push(piece)
    piece.text = budget.push(piece.text)
    return piece


class HTTPModel(HTTPAnswering, LLM):
    """Is a text model behind any JSON API."""

    supports: ClassVar[frozenset[str]] = frozenset({"max_tokens"})

    async def _acall(self, prompt: str, stop: Sequence[str] | None = None, **kwargs: Any) -> Generation:
        return await self._whole(self._variables_of(prompt, stop, kwargs, stream=False))

    def _astream(self, prompt: str, stop: Sequence[str] | None = None, **kwargs: Any) -> AsyncIterator[Any]:
        return self._streamed(self._variables_of(prompt, stop, kwargs, stream=True))

    def _variables_of(
        self, prompt: str, stop: Sequence[str] | None, call: Mapping[str, Any], *, stream: bool
    ) -> dict[str, Any]:
        from modelport.values.messages import HumanMessage

        return self._variables(prompt, [HumanMessage(prompt)], stop, call, stream=stream)


class HTTPChatModel(HTTPAnswering, ChatModel):
    """Is a chat model behind any JSON API; `prompt` is the messages by `chat_template`, or a single one's text."""

    supports: ClassVar[frozenset[str]] = frozenset({"max_tokens", "tools", "response_format"})

    async def _acall(self, messages: list[Message], stop: Sequence[str] | None = None, **kwargs: Any) -> Generation:
        return await self._whole(self._variables_of(messages, stop, kwargs, stream=False))

    def _astream(self, messages: list[Message], stop: Sequence[str] | None = None, **kwargs: Any) -> AsyncIterator[Any]:
        return self._streamed(self._variables_of(messages, stop, kwargs, stream=True))

    def _variables_of(
        self, messages: list[Message], stop: Sequence[str] | None, call: Mapping[str, Any], *, stream: bool
    ) -> dict[str, Any]:
        return self._variables(self._prompt_of(messages), messages, stop, call, stream=stream)

    def _prompt_of(self, messages: list[Message]) -> str:
        if "prompt" not in self.template_names():
            return ""  # messages with images have no text form, and need none
        if self.chat_template is not None:
            return apply_chat_template(self.chat_template, messages)
        return flatten_messages(messages) if len(messages) > 1 else messages[0].text


def http_model(**fields: Any) -> HTTPModel | HTTPChatModel:
    """Return the model of a JSON API: a chat model when its templates use `messages`, else a text model.

    Raises:
        TypeError: A field is unknown.
        ValueError: A value is missing or wrong.
    """
    chat = HTTPChatModel(**fields)
    return chat if "messages" in chat.template_names() else HTTPModel(**fields)
