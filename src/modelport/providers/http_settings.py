"""What tells how to speak to a JSON API: its request as a template, and where things are in its answers."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from modelport.providers.endpoint import Endpoint, checked_url, plain_headers

PATHS = ("text_path", "finish_reason_path", "prompt_tokens_path", "completion_tokens_path", "tool_calls_path")
"""The paths that a stream may have of its own."""


def _checked_path(value: str | None) -> str | None:
    if value is not None:
        from modelport.providers.http_paths import compiled_path

        compiled_path(value)
    return value


class StreamSettings(BaseModel):
    """Says how a JSON API streams; paths that are not given are those of whole answers."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    format: Literal["sse", "ndjson", "text"] = "sse"
    """Server-sent events with JSON data, one JSON value per line, or the plain text as it comes."""
    url: str | None = None
    """Where streams are asked for, as a template; None: where whole answers are."""
    body: Any = None
    """What is sent for a stream; None: the same as for a whole answer, where `stream` is true."""
    text_path: str | None = None
    """Where an event's text is; an event without it brings none."""
    finish_reason_path: str | None = None
    """Where the reason of the end is."""
    prompt_tokens_path: str | None = None
    """Where the prompt's tokens are."""
    completion_tokens_path: str | None = None
    """Where the answer's tokens so far are; the last count is the whole."""
    tool_calls_path: str | None = None
    """Where whole tool calls are."""
    done: str | None = None
    """The data of the event that ends a stream; one that ends without it is broken off. `[DONE]` always ends one."""
    done_path: str | None = None
    """What is true of the last event; a stream without such an event is broken off."""

    _paths = field_validator(*PATHS, "done_path")(_checked_path)


class HTTPEndpoint(Endpoint):
    """Is the part that text and chat models behind a JSON API share.

    Templates see `prompt`, `messages` (OpenAI's dicts), `stop` (a list), `max_tokens`, `stream`, `model`, `api_key`,
    `params` (the call's keywords and the defaults), and each of those also under its own name.
    """

    url: str = Field(min_length=1)
    """Where requests go, as a template; what is filled in is percent-encoded, but for the filter `safe`."""
    method: Literal["POST", "PUT", "PATCH", "GET"] = "POST"
    """How they go there."""
    body: Any = None
    """What is sent: any JSON whose texts are templates; a text alone is sent as text; None: nothing."""
    text_path: str | None = None
    """Where the text is in the answer (JMESPath); None: the whole answer is the text."""
    finish_reason_path: str | None = None
    """Where the reason of the end is."""
    finish_reasons: dict[str, str] = Field(default={})
    """What the server's reasons are in OpenAI's words: `{"eos_token": "stop"}`."""
    prompt_tokens_path: str | None = None
    """Where the prompt's tokens are."""
    completion_tokens_path: str | None = None
    """Where the answer's tokens are."""
    tool_calls_path: str | None = None
    """Where tool calls are, in OpenAI's or a flat form."""
    error_path: str | None = None
    """Where an answer says what failed, also one with a status of success; None: where most servers say it."""
    streaming: StreamSettings | None = None
    """How the server streams; None: it does not, and a stream is one piece."""
    model: str | None = None
    """The model's name, for templates and results."""
    defaults: dict[str, Any] = Field(default={})
    """Values of the names that a call does not give."""

    _paths = field_validator(*PATHS, "error_path")(_checked_path)

    @model_validator(mode="after")
    def _templates(self) -> Self:
        """Compile every template.

        Raises:
            ValueError: A template's syntax is wrong, the URL is none, or the key is missing or used nowhere.
        """
        from modelport.providers.http_templates import compiled

        for place, text, is_url in self._texts():
            try:
                compiled(text, is_url)
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from None
        if "{" not in self.url:
            try:
                checked_url(self.url)
            except ValueError as error:
                raise ValueError(f"url: {error}") from None
        names = self.template_names()
        if "api_key" in names and self.api_key is None:
            raise ValueError("the templates use api_key; give it as api_key=…")
        if "api_key" not in names and self.api_key is not None:
            raise ValueError("api_key is in no template; write headers={'authorization': 'Bearer {{ api_key }}'}")
        return self

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "url": self.url, **self.defaults}

    def template_names(self, stream: bool | None = None) -> frozenset[str]:
        """Return the names that the templates use: of a stream's request, of a whole answer's, or (None) of both."""
        from modelport.providers.http_templates import compiled

        texts = self._texts() if stream is None else self._texts_of(stream)
        return frozenset(name for _, text, is_url in texts for name in compiled(text, is_url).names)

    def _texts(self) -> list[tuple[str, str, bool]]:
        """Return all templates: place, text, whether it is a URL."""
        return list(dict.fromkeys([*self._texts_of(False), *self._texts_of(True)]))

    def _texts_of(self, stream: bool) -> list[tuple[str, str, bool]]:
        """Return the templates of a stream's request, or of a whole answer's."""
        from modelport.providers.http_templates import texts_in

        found, body, streaming = [("url", self.url, True)], ("body", self.body), self.streaming
        if stream and streaming is not None:
            found = found if streaming.url is None else [("streaming.url", streaming.url, True)]
            body = body if streaming.body is None else ("streaming.body", streaming.body)
        found += [(f"headers.{name}", text, False) for name, text in plain_headers(self.headers).items()]
        return found + [(place, text, False) for place, text in texts_in(body[1], body[0])]


def secret_of(value: SecretStr | None) -> str | None:
    """Return a secret as templates get it."""
    return None if value is None else value.get_secret_value()
