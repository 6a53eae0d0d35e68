"""Errors: always OpenAI's four keys, and what other servers send instead is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.wire.error_object import ErrorBody, ErrorObject, decode_error, error_in, type_of_status
from modelport.wire.json_text import encode_json
from modelport.wire.model_list import decode_model_names, model_list
from modelport.wire.received import BadResponseError

texts = st.text(st.characters(codec=None, exclude_categories=()))


@given(texts, st.text(), st.none() | texts, st.none() | texts)
def test_an_error_written_and_read_is_the_same(
    conforms: Any, message: str, kind: str, param: str | None, code: str | None
) -> None:
    error = ErrorObject(message=message, type=kind, param=param, code=code)
    raw = encode_json(ErrorBody(error))
    plain = conforms(raw, "ErrorResponse")
    assert set(plain["error"]) == {"message", "type", "param", "code"}
    if message and kind and len(message) <= 2000:
        assert decode_error(raw, 500) == error


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error": {"message": "no"}}', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"message": "no", "object": "error"}', "no"),
        (b'{"detail": "no"}', "no"),
        (b'{"detail": [{"loc": ["body"], "msg": "no"}, {"msg": "never"}]}', "no; never"),
        (b'{"error": {"detail": "no"}}', "no"),
        (b"no", "no"),
        (b" no\n", "no"),
        (b"", "HTTP status 429"),
        (b"{}", "{}"),
        (b"[1]", "[1]"),
        (b"\xff", "\ufffd"),
    ],
)
def test_what_servers_really_send_is_read(raw: bytes, message: str) -> None:
    error = decode_error(raw, 429)
    assert (error.message, error.type) == (message, "rate_limit_error")


def test_a_page_of_html_is_cut() -> None:
    assert len(decode_error(b"<html>" + b"x" * 10_000, 502).message) == 2000


def test_a_code_is_a_text() -> None:
    assert decode_error(b'{"error": {"message": "no", "code": 500, "type": null}}', 500).code == "500"


def test_an_error_in_a_stream_is_found_and_a_chunk_is_none() -> None:
    found = error_in({"error": {"message": "no", "type": "t"}})
    assert found == ErrorObject(message="no", type="t")
    assert error_in({"choices": [{"delta": {"content": "error"}}]}) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (418, "invalid_request_error"),
        (503, "server_error"),
    ],
)
def test_a_status_has_its_type(status: int, kind: str) -> None:
    assert type_of_status(status) == kind


@given(st.lists(texts))
def test_a_list_of_models_written_and_read_is_the_same(conforms: Any, names: list[str]) -> None:
    raw = encode_json(model_list(names, 5))
    conforms(raw, "ListModelsResponse")
    assert decode_model_names(raw) == names


def test_what_is_no_list_of_models_is_said_to_be_none() -> None:
    assert decode_model_names(b'{"data": [{"id": "a"}, {"id": 5}, 5]}') == ["a"]
    with pytest.raises(BadResponseError):
        decode_model_names(b'{"models": []}')
