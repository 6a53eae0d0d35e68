"""Forms with files: whatever comes, they are read or refused."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from modelport.gateway.form import read_form
from modelport.values.errors import InputError

KIND = "multipart/form-data; boundary=XX"
WHOLE = (
    b'--XX\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x00\r\n--X\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="mask"\r\nContent-Type: image/png\r\n\r\n\x01\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na \xc3\xa4\r\n'
    b'--XX\r\ncontent-disposition: form-data; name="image[]"; filename=""\r\n\r\n\r\n--XX--\r\n'
)
pieces = st.sampled_from([b"--XX", b"--XX--", b"\r\n", b"\r\n\r\n", b'"', b";", b"=", b":", b"\xff", b"\0", b"name"])


def test_fields_come_in_order_and_files_are_bytes() -> None:
    fields = read_form(KIND, WHOLE, max_files=3, max_fields=1)
    assert fields == [("image", b"\x00\r\n--X"), ("mask", b"\x01"), ("prompt", "a \u00e4"), ("image[]", b"")]


@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), pieces | st.binary(max_size=4)), max_size=6))
def test_a_damaged_form_is_read_or_refused(damages: list[tuple[int, int, bytes]]) -> None:
    body = WHOLE
    for place, length, piece in damages:
        body = body[:place] + piece + body[place + length :]
    with suppress(InputError):
        assert len(read_form(KIND, body, max_files=3, max_fields=3)) <= 6


@given(st.text(st.characters(max_codepoint=255)), st.binary(max_size=200))
def test_any_content_type_and_any_body_is_read_or_refused(kind: str, body: bytes) -> None:
    with suppress(InputError):
        read_form(f"multipart/form-data{kind}", body, max_files=3, max_fields=3)
