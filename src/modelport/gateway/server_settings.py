"""How models are served: the address, who may call, and what clients may send."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

RULES = ConfigDict(extra="forbid", hide_input_in_errors=True)
"""What all settings have in common: unknown keys are mistakes, and mistakes show no values."""


class KeySettings(BaseModel):
    """Says who may call, and how much."""

    model_config = RULES

    key: SecretStr
    """What the client sends as `Authorization: Bearer KEY` or `x-api-key`."""
    name: str | None = Field(default=None, min_length=1, max_length=100)
    """What logs call it; None: the first eight hex digits of its SHA-256."""
    models: list[str] = []
    """Which models it may call, by their names here; `*` stands for any text. Empty: all."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """How many requests it may make in a minute."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """How many tokens, of prompts and answers together, it may use in a minute."""
    max_parallel_requests: int | None = Field(default=None, ge=1)
    """How many of its requests may be open at once."""
    expires: datetime | date | None = None
    """When it stops working, as `2026-12-31T12:00:00Z`, or its last day, as `2026-12-31`; without a zone it is UTC."""
    master: bool = False
    """Whether it is the operator's own key."""

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        return {"key": given} if isinstance(given, (str, SecretStr)) else given

    @field_validator("expires", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        if value is None or isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value) if len(value) == len("2026-12-31") else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise PydanticCustomError(
                "no_date", "must be a day or a time, as 2026-12-31 or 2026-12-31T12:00:00Z"
            ) from None

    @field_validator("key")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text.strip():
            raise PydanticCustomError("empty_key", "a key must not be empty")
        if text != text.strip() or any(ord(character) < 32 for character in text):
            raise PydanticCustomError("unsendable_key", "a key must have no spaces around it and no line breaks in it")
        return value


class LimitSettings(BaseModel):
    """Bounds what clients may send, and how slowly."""

    model_config = RULES

    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """The largest request body; a larger one is answered with 413."""
    max_header_bytes: int = Field(default=64 * 1024, ge=1024)
    """The largest head of a request, its line included; a larger one is answered with 431."""
    header_timeout_seconds: float = Field(default=10, gt=0)
    """How long a request's head may take to arrive."""
    body_timeout_seconds: float = Field(default=60, gt=0)
    """How long a request's body may take to arrive."""
    max_connections: int | None = Field(default=None, ge=1)
    """How many connections may be open at once; None: as many as the system allows."""


class CorsSettings(BaseModel):
    """Says which web pages may call."""

    model_config = RULES

    origins: list[str] = Field(min_length=1)
    """Their origins, as `https://chat.example.com`; `*`: all."""
    max_age_seconds: int = Field(default=600, ge=0)
    """How long a browser may keep what it was told."""

    @field_validator("origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]+", origin):
                raise PydanticCustomError(
                    "no_origin", "each must be '*' or an origin without a path, as https://chat.example.com"
                )
        return value


class ServerSettings(BaseModel):
    """Says how the models are served."""

    model_config = RULES

    host: str = Field(default="127.0.0.1", min_length=1)
    """The address to listen on."""
    port: int = Field(default=4000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    keys: list[KeySettings] = []
    """Who may call: a key as a text, or a key with its limits. None: everybody who calls over loopback. The master key
    also comes from `MODELPORT_MASTER_KEY` or `LITELLM_MASTER_KEY`."""
    limits: LimitSettings = Field(default_factory=LimitSettings)
    """What clients may send, and how slowly."""
    cors: CorsSettings | None = None
    """Which web pages may call; None: none."""
    timeout_seconds: float | None = Field(default=None, gt=0)
    """How long an answer may take, queueing, retries and fallbacks included; None: as long as it likes."""
    shutdown_seconds: int = Field(default=30, ge=0)
    """How long open requests may go on after SIGTERM or Ctrl-C."""
    keep_alive_comments_seconds: float | None = Field(default=None, gt=0)
    """How long a stream may be silent before a comment is sent to keep its connection; None: no comments."""
    log_requests: bool = True
    """Whether each request is one line in the log; never a prompt, an answer or a secret."""
    metrics: bool = True
    """Whether `/metrics` answers in Prometheus's format."""
    workers: int = Field(default=1, ge=1, le=256)
    """How many processes serve; each loads the models for itself."""

    @field_validator("keys")
    @classmethod
    def _each_once(cls, value: list[KeySettings]) -> list[KeySettings]:
        first: dict[str, int] = {}
        for index, one in enumerate(value):
            earlier = first.setdefault(one.key.get_secret_value(), index)
            if one != value[earlier]:
                raise PydanticCustomError(
                    "two_keys",
                    "[{earlier}] and [{index}] are the same key with different limits; write it once",
                    {"earlier": earlier, "index": index},
                )
        return value
