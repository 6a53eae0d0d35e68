"""Forms with files, `multipart/form-data`, of a body that has been read and is bounded: nothing is kept on disk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from modelport.values.errors import InputError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# What a client sends is no warning to the operator.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

MAX_HEAD_BYTES = 8192
"""How long the headers of one part may be."""
_STEP_BYTES = 2**20
"""How much is read in one step."""

Field = tuple[str, bytes | str]
"""A name with a text, or with the bytes of a file."""


def read_form(content_type: str, body: bytes, *, max_files: int, max_fields: int) -> list[Field]:
    """Return a form's fields in order.

    Args:
        content_type: The header of that name, which says how the parts are told apart.
        body: The whole body.
        max_files: How many files it may have.
        max_fields: How many texts it may have.

    Raises:
        InputError: It is no form, or one that is cut off, or has too many parts.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise InputError("the body is no form: its content-type names no boundary")
    reader = _Reader(max_files, max_fields)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        for start in range(0, len(body), _STEP_BYTES):
            parser.write(body[start : start + _STEP_BYTES])
        parser.finalize()
    except FormParserError as error:
        raise InputError(f"the body is no form: {error}") from None
    if not reader.is_complete:
        raise InputError("the body is no form, or is cut off: it does not end with the boundary")
    return reader.fields


class _Reader:
    """Collects the parts of a form."""

    def __init__(self, max_files: int, max_fields: int) -> None:
        self.fields: list[Field] = []
        self.is_complete = False
        self._max = {True: max_files, False: max_fields}
        self._count = {True: 0, False: 0}
        self._head_bytes = 0
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._is_file = False
        self._data: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._take_name,
            "on_header_value": self._take_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._take_data,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def _begin(self) -> None:
        self._headers = {}
        self._data = []
        self._head_bytes = 0

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += self._head(data, start, end)

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += self._head(data, start, end)

    def _head(self, data: bytes, start: int, end: int) -> bytes:
        self._head_bytes += end - start
        if self._head_bytes > MAX_HEAD_BYTES:
            raise InputError(f"the headers of a form's part are longer than {MAX_HEAD_BYTES} bytes")
        return data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition", b""))[1]
        if b"name" not in options:
            raise InputError("a part of the form has no name")
        self._name = _text(options[b"name"], "the name of a part of the form")
        kind = self._headers.get(b"content-type", b"").lower()
        self._is_file = b"filename" in options or kind.startswith((b"image/", b"application/octet-stream"))
        self._count[self._is_file] += 1
        if self._count[self._is_file] > self._max[self._is_file]:
            what = "files" if self._is_file else "fields"
            raise InputError(f"the form has too many {what}: {self._max[self._is_file]} at most")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _end(self) -> None:
        data = b"".join(self._data)
        value = data if self._is_file else _text(data, f"the field {self._name!r:.100}", param=self._name)
        self.fields.append((self._name, value))

    def _complete(self) -> None:
        self.is_complete = True


def _text(data: bytes, what: str, param: str | None = None) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{what} is no UTF-8", param=param) from None
