"""What all models on an OpenAI-compatible server have in common: its address, its key, its headers."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from modelport.engine.concurrency import amap_items
from modelport.providers.endpoint import Endpoint, checked_url, plain_headers
from modelport.providers.framing import EventFraming
from modelport.values.generations import Generation
from modelport.values.status_errors import APIStatusError, AuthenticationError
from modelport.wire.json_text import encode_json

if TYPE_CHECKING:
    from modelport.providers.exchange import Exchange
    from modelport.providers.openai_answers import StreamReader

OPENAI_URL = "https://api.openai.com/v1"
"""Where OpenAI itself is."""
_OPENAI_HOST = "api.openai.com"
_PER_CALL = ("extra_headers", "extra_query", "extra_body", "stream")
"""Call keywords that are no parameters of the model (OpenAI's client has the first three)."""
_STREAM_OPTIONS = "stream_options"
_ABOUT_N = re.compile(r"(?<![\w.])n(?![\w.])")
"""A refusal that names the parameter `n` (llama.cpp, TGI and others have one choice only)."""

ReadAnswers = Callable[[bytes, "Exchange"], list[Generation]]
"""Reads the choices of a whole answer."""


def _environment_url() -> str:
    return os.environ.get("OPENAI_BASE_URL") or OPENAI_URL


class OpenAIEndpoint(Endpoint):
    """Is the part that the models of OpenAI-compatible servers share."""

    model: str = Field(min_length=1)
    """The model's name, as the server knows it."""
    base_url: str = Field(default_factory=_environment_url, validate_default=True)
    """The server's address up to and with `/v1`; default: `OPENAI_BASE_URL`, else OpenAI's. Also called `api_base`."""
    organization: str | None = None
    """OpenAI's organization, when the key has several."""
    project: str | None = None
    """OpenAI's project, when the organization has several."""
    query: dict[str, str] = Field(default={})
    """Parameters of every request's URL, as Azure's `api-version`."""
    defaults: dict[str, Any] = Field(default={})
    """Parameters of every request, as `temperature`; those that a call gives win."""

    @model_validator(mode="before")
    @classmethod
    def _from_environment(cls, given: Any) -> Any:
        """Read `api_base`, and the key that goes with the address.

        `OPENAI_API_KEY` goes only where `OPENAI_BASE_URL` or the default points: no other server shall see it.
        """
        fields = dict(cast("Mapping[str, Any]", given))
        base_url = fields.pop("api_base", None) or fields.get("base_url")
        if base_url is None:
            fields.pop("base_url", None)
        else:
            fields["base_url"] = base_url
        if fields.get("api_key") is None and base_url in (None, _environment_url(), OPENAI_URL):
            key = os.environ.get("OPENAI_API_KEY")
            fields["api_key"] = SecretStr(key) if key else None
        return fields

    @field_validator("base_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        return checked_url(value.rstrip("/"))

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "base_url": self.base_url, **self.defaults}

    def _post(self, path: str, fields: Mapping[str, Any], call: Mapping[str, Any]) -> Exchange:
        """Return a JSON request's exchange, not yet sent.

        Args:
            path: Where to, below `base_url`.
            fields: What the request says, beside the call's parameters.
            call: The call's keywords: parameters, and OpenAI's `extra_headers`, `extra_query`, `extra_body`.
        """
        from modelport.providers.exchange import Exchange, Request

        body = encode_json(self._body(fields, call))
        headers = {**self._headers(call), "content-type": "application/json"}
        return Exchange(self, Request("POST", self._url(path, call), headers, body))

    async def _choices(
        self, path: str, fields: Mapping[str, Any], call: Mapping[str, Any], read: ReadAnswers
    ) -> Generation | list[Generation]:
        """Return the answer; all of them when the call asks for `n`, also of servers that give fewer, or refuse."""
        n: int | None = call.get("n")
        if n is None or n == 1:
            answers = await self._answers(path, fields, call, read)
            return answers[0] if n is None else answers
        answers = await self._answers_at_once(path, fields, call, read)
        one = {name: value for name, value in call.items() if name != "n"}
        missing = await amap_items(lambda _: self._answers(path, fields, one, read), range(len(answers), n))
        for more in missing:
            if isinstance(more, BaseException):
                raise more
            answers += more[:1]
        return answers[:n]

    async def _answers_at_once(
        self, path: str, fields: Mapping[str, Any], call: Mapping[str, Any], read: ReadAnswers
    ) -> list[Generation]:
        """Return the choices of one request with `n`; none when the server refuses it, which is asked only once."""
        from modelport.providers.connections import connections_of

        refused = connections_of(self).refused
        if "n" in refused:
            return []
        try:
            return await self._answers(path, fields, call, read)
        except APIStatusError as error:
            if error.status_code not in (400, 422) or not (error.param == "n" or _ABOUT_N.search(str(error))):
                raise
        refused.add("n")
        return []

    async def _answers(
        self, path: str, fields: Mapping[str, Any], call: Mapping[str, Any], read: ReadAnswers
    ) -> list[Generation]:
        async with self._post(path, fields, call) as exchange:
            return read(await exchange.read(), exchange)

    async def _pieces(
        self, path: str, fields: Mapping[str, Any], call: Mapping[str, Any], reader: Callable[[Exchange], StreamReader]
    ) -> AsyncGenerator[Any, None]:
        """Yield the pieces of a streamed answer; the last carries finish reason and usage."""
        one = {name: value for name, value in call.items() if name != "n"}  # a stream is one answer
        async with await self._streaming(path, {**fields, "stream": True}, one) as exchange:
            reading = reader(exchange)
            async with aclosing(exchange.messages(EventFraming())) as batches:
                async for events in batches:
                    for event in events:
                        if event == "[DONE]":
                            reading.done = True
                            break
                        for piece in reading.read(event):
                            yield piece
                    if reading.done:
                        exchange.end()
                        break
            yield reading.last()

    async def _streaming(self, path: str, fields: dict[str, Any], call: Mapping[str, Any]) -> Exchange:
        """Return a stream that has begun; a server that does not know `stream_options` is asked without them."""
        from modelport.providers.connections import connections_of

        refused = connections_of(self).refused
        if _STREAM_OPTIONS not in refused:
            options = {"include_usage": True, **_extra(call, _STREAM_OPTIONS)}
            try:
                return await self._post(path, {**fields, _STREAM_OPTIONS: options}, call).__aenter__()
            except APIStatusError as error:
                known = error.status_code not in (400, 422) or _STREAM_OPTIONS not in f"{error} {error.param}"
                if known or call.get(_STREAM_OPTIONS):
                    raise
            refused.add(_STREAM_OPTIONS)
        return await self._post(path, fields, call).__aenter__()

    def _body(self, fields: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a request says: the defaults, what the call gives (None counts as not given), the fields."""
        given = {**self.defaults, **{name: value for name, value in call.items() if value is not None}}
        parameters = {name: value for name, value in given.items() if name not in _PER_CALL}
        return {"model": self.model, **parameters, **fields, **_extra(call, "extra_body")}

    def _headers(self, call: Mapping[str, Any]) -> dict[str, str]:
        """Return a request's headers.

        Raises:
            AuthenticationError: There is no key, and OpenAI itself would be asked: it is not, then.
        """
        headers: dict[str, str] = {}
        if self.api_key is not None:
            headers["authorization"] = f"Bearer {self.api_key.get_secret_value()}"
        if self.organization is not None:
            headers["openai-organization"] = self.organization
        if self.project is not None:
            headers["openai-project"] = self.project
        for more in (plain_headers(self.headers), _extra(call, "extra_headers")):
            headers.update((name.lower(), value) for name, value in more.items())
        if "authorization" not in headers and urlsplit(self.base_url).hostname == _OPENAI_HOST:
            raise AuthenticationError(
                f"there is no key for {_OPENAI_HOST}, so {self.model!r} is not asked: set OPENAI_API_KEY, or give "
                f"api_key (or base_url, for another server)"
            )
        return headers

    def _url(self, path: str, call: Mapping[str, Any]) -> str:
        query = {**self.query, **_extra(call, "extra_query")}
        return f"{self.base_url}{path}" + (f"?{urlencode(query)}" if query else "")


def _extra(call: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one of the dicts that a call may carry beside its parameters."""
    given: dict[str, Any] | None = call.get(name)
    return {} if given is None else given
