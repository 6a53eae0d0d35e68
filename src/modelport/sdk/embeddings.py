"""`embedding` and `aembedding`: one vector for each input, by a model's `provider/name`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from modelport.engine.workers import call_in_worker
from modelport.models.token_ids import has_token_ids, texts_of
from modelport.sdk.calling import ModelCall, given_only
from modelport.sdk.request import config_in, handler_request, own_keywords
from modelport.sdk.resilience import Resilient, Ways, is_resilient, resilient
from modelport.values.embeddings import EmbeddingResult
from modelport.values.errors import InputError
from modelport.wire.embedding_request import EncodingFormat
from modelport.wire.embedding_response import EmbeddingResponse, embedding_response
from modelport.wire.request_fields import input_list

Input = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]
"""A text, texts, the token ids of one text, or of several."""


def embedding(
    model: str,
    input: Input,
    *,
    dimensions: int | None = None,
    encoding_format: EncodingFormat | None = None,
    **given: Any,
) -> EmbeddingResponse:
    """Return one vector for each input, as OpenAI's embeddings.

    Args:
        model: `provider/name`.
        input: A text, texts, the token ids of one text, or of several. A model whose hook takes texts needs a
            `_decode_tokens(ids) -> str` for token ids; a handler gets them as they are.
        dimensions: How long the vectors are to be; a model that cannot do it says so.
        encoding_format: `base64` gives little-endian float32 in base64; it is never the model's business.
        **given: As for `completion`: `timeout`, `num_retries`, `fallbacks`, `api_key`, `api_base`, `config`, and
            `mock_response` (a vector, or a whole response); all else goes to the model.

    Raises:
        ModelportError: One class per status, with the model's own exception as `__cause__`.
    """
    given = _checked(given, encoding_format)
    if is_resilient(given):
        return _attempts(model, input, dimensions, encoding_format, given).answer()
    call, inputs, keywords = _asked(model, input, dimensions, given)
    if call is None:
        return _mocked(model, inputs, encoding_format, given)
    result = call.run(lambda: call.model.embed(inputs, **keywords))
    return _response(result, call.name, encoding_format)


async def aembedding(
    model: str,
    input: Input,
    *,
    dimensions: int | None = None,
    encoding_format: EncodingFormat | None = None,
    **given: Any,
) -> EmbeddingResponse:
    """Return one vector for each input, on the running loop; see `embedding`."""
    given = _checked(given, encoding_format)
    if is_resilient(given):
        return await _attempts(model, input, dimensions, encoding_format, given).aanswer()
    if has_token_ids(input):
        call, inputs, keywords = await call_in_worker(lambda: _asked(model, input, dimensions, given))
    else:
        call, inputs, keywords = _asked(model, input, dimensions, given)
    if call is None:
        return _mocked(model, inputs, encoding_format, given)
    result = await call.arun(lambda: call.model.aembed(inputs, **keywords))
    return _response(result, call.name, encoding_format)


def _checked(given: Mapping[str, Any], encoding_format: Any) -> dict[str, Any]:
    """Return the keywords that are given.

    Raises:
        InputError: `encoding_format` is not one of OpenAI's.
    """
    if encoding_format not in (None, "float", "base64"):
        raise InputError(
            f"encoding_format must be 'float' or 'base64', not {encoding_format!r}", param="encoding_format"
        )
    return given_only(given)


def _attempts(model: str, value: Any, dimensions: Any, encoding_format: Any, given: Mapping[str, Any]) -> Resilient:
    asked: dict[str, Any] = {"input": value, "dimensions": dimensions, "encoding_format": encoding_format}
    ways = Ways(
        lambda name, own: embedding(name, **asked | own),
        lambda name, own: aembedding(name, **asked | own),
    )
    return resilient(model, given, ways)


def _asked(
    model: str, value: Any, dimensions: int | None, given: Mapping[str, Any]
) -> tuple[ModelCall | None, list[Any], dict[str, Any]]:
    """Return the model, None for a mock; the inputs, and the keywords of its call."""
    inputs: list[Any] = list(
        input_list(list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value, "input")
    )
    if "mock_response" in given:
        return None, inputs, {}
    call = ModelCall("embedding", model, given)
    if call.target.source.is_handler:
        asked = {**given, "dimensions": dimensions} if dimensions is not None else given
        keywords: dict[str, Any] = {"request": handler_request(call.target, None, asked)}
    else:
        inputs = call.run(lambda: texts_of(call.model, inputs, "input"))
        keywords = own_keywords(call.model, given)
    return call, inputs, {**keywords, "dimensions": dimensions, "config": config_in(given)}


def _response(result: EmbeddingResult, name: str, encoding_format: EncodingFormat | None) -> EmbeddingResponse:
    return embedding_response(result, model=name, encoding_format=encoding_format or "float")


def _mocked(
    model: str, inputs: Sequence[Any], encoding_format: EncodingFormat | None, given: Mapping[str, Any]
) -> EmbeddingResponse:
    from modelport.sdk.mocks import mocked_embedding

    result = mocked_embedding(model, given["mock_response"], len(inputs))
    return _response(result, result.model_name or model, encoding_format)
