"""`POST /images/edits`: forms with files, JSON, and what a client may not make the server do."""

from __future__ import annotations

import asyncio
import base64
import builtins
import json
import logging
import os
import socket
from typing import Any

import pytest

from modelport import CustomLLM, ImageModel
from modelport.gateway.app import Gateway
from modelport.gateway.config import settings_from

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
GOT: dict[str, Any] = {}


class Editor(ImageModel):
    def _edit_images(self, images, prompt, mask=None, n=1, size=None, **kwargs):
        GOT.update(images=images, prompt=prompt, mask=mask, n=n, size=size, kwargs=kwargs)
        return [images[0]] * n


class Handler(CustomLLM):
    async def aimage_edit(self, image, prompt, optional_params, mask=None):
        GOT.update(images=image, prompt=prompt, mask=mask, optional_params=optional_params)
        return {"data": [{"b64_json": base64.b64encode(image[0]).decode()}]}


def form(*fields: tuple[str, str | bytes], boundary: str = "XXXX") -> bytes:
    """Return a form's body: bytes are files."""
    body = b""
    for name, value in fields:
        more = '; filename="a.png"\r\nContent-Type: image/png' if isinstance(value, bytes) else ""
        content = value if isinstance(value, bytes) else value.encode(errors="surrogateescape")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


FORM = {"content-type": "multipart/form-data; boundary=XXXX"}
FIELDS: tuple[tuple[str, Any], ...] = (("model", "m"), ("prompt", "a cat"), ("image", PNG))


@pytest.fixture
def edit(ask: Any) -> Any:
    """Start an edit by a form: `edit(model, ("image", b"…"), …)`."""

    def edit(model: Any, *fields: tuple[str, str | bytes]) -> Any:
        app = Gateway(settings_from({"models": {}}), models={"m": model})
        return ask(app, "POST", "/v1/images/edits", form(*fields), FORM)

    return edit


@pytest.mark.parametrize("kind", [Editor, Handler], ids=lambda kind: kind.__name__)
async def test_openais_own_client_sends_a_form(official: Any, kind: Any) -> None:
    client = official({"m": kind()})
    answer = await client.images.edit(model="m", prompt="a cat", image=PNG, mask=b"mask", n=1, size="256x256")
    assert base64.b64decode(answer.data[0].b64_json) == PNG
    assert GOT["prompt"] == "a cat"
    answer = await client.images.edit(model="m", prompt="a cat", image=[PNG, b"second"])
    assert len(GOT["images"]) == 2
    assert base64.b64decode(answer.data[0].b64_json) == PNG


async def test_the_hook_gets_images_a_mask_and_fields(edit: Any, conforms: Any) -> None:
    more = (("image[]", b"second"), ("mask", b"mask"), ("n", "2"), ("size", "256x256"), ("seed", "7"), ("user", "u"))
    reply = await edit(Editor(), *FIELDS, *more).done()
    assert reply.status == 200, reply.body
    conforms(reply.json, "ImagesResponse")
    assert len(reply.json["data"]) == 2
    assert [one.data for one in GOT["images"]] == [PNG, b"second"]
    assert GOT["mask"].data == b"mask"
    assert (GOT["prompt"], GOT["size"], GOT["kwargs"]) == ("a cat", "256x256", {"seed": "7"})


async def test_a_handler_gets_bytes_and_the_clients_own_fields(edit: Any) -> None:
    await edit(Handler(), *FIELDS, ("n", "1"), ("quality", "hd"), ("response_format", "b64_json")).done()
    assert (GOT["images"], GOT["mask"]) == ([PNG], None)
    assert GOT["optional_params"] == {"n": 1, "quality": "hd", "response_format": "b64_json"}


@pytest.mark.parametrize(
    "fields",
    [
        {"image": DATA_URL},
        {"image": [base64.b64encode(PNG).decode()], "mask": DATA_URL},
        {"images": [{"image_url": DATA_URL}]},
    ],
)
async def test_json_carries_images_as_data_urls_or_base64(post: Any, fields: dict[str, Any]) -> None:
    reply = await post(Editor(), "images/edits", prompt="a cat", **fields).done()
    assert reply.status == 200, reply.body
    assert [one.data for one in GOT["images"]] == [PNG]


@pytest.mark.parametrize(
    "place",
    [
        "/etc/passwd",
        "../../etc/passwd",
        __file__,
        f"file://{__file__}",
        "http://169.254.169.254/latest",
        "https://example.com/a.png",
        "data:text/plain,",
    ],
)
@pytest.mark.parametrize("field", ["image", "mask"])
async def test_no_place_that_a_client_names_is_opened_or_fetched(
    post: Any, edit: Any, monkeypatch: pytest.MonkeyPatch, place: str, field: str
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"{args} must not be opened")

    editor = Editor()
    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    others = {"image": DATA_URL} if field == "mask" else {}
    as_json = post(editor, "images/edits", prompt="x", **others, **{field: place})
    own: tuple[tuple[str, Any], ...] = FIELDS if field == "mask" else FIELDS[:2]
    as_form = edit(editor, *own, (field, place))
    for reply in (as_json, as_form):
        await reply.done()
        assert (reply.status, reply.error["param"]) == (400, field)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (FIELDS[1:], "model"),
        ((FIELDS[0], FIELDS[2]), "prompt"),
        (FIELDS[:2], "image"),
        ((*FIELDS[:2], ("image", b"")), "image"),
        ((*FIELDS, ("n", "two")), "n"),
        ((*FIELDS, ("n", "11")), "n"),
        ((*FIELDS, ("size", "big")), "size"),
        ((*FIELDS, ("response_format", "png")), "response_format"),
        ((*FIELDS, ("stream", "true")), "stream"),
        ((*FIELDS, ("user", b"file")), "user"),
        ((FIELDS[0], FIELDS[1], *([FIELDS[2]] * 17)), "image"),
    ],
)
async def test_a_wrong_field_is_a_400_that_names_it(edit: Any, fields: Any, param: str) -> None:
    reply = await edit(Editor(), *fields).done()
    assert (reply.status, reply.error["param"]) == (400, param)


@pytest.mark.parametrize(
    "fields", [[*FIELDS, *[("x", b"1")] * 20], [*FIELDS, *[("x", "1")] * 100]], ids=["files", "fields"]
)
async def test_a_form_has_so_many_parts_and_no_more(edit: Any, fields: Any) -> None:
    reply = await edit(Editor(), *fields).done()
    assert reply.status == 400
    assert "too many" in reply.error["message"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=XXXX"),
        (b"nothing of a form", "multipart/form-data; boundary=XXXX"),
        (form(*FIELDS), "multipart/form-data"),
        (form(*FIELDS), "multipart/form-data; boundary="),
        (form(*FIELDS), "multipart/form-data; boundary=YYYY"),
        (form(*FIELDS), "multipart/form-data; boundary=" + "Y" * 5000),
        (form(*FIELDS)[:-20], "multipart/form-data; boundary=XXXX"),
        (b"--XXXX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XXXX--\r\n", "multipart/form-data; boundary=XXXX"),
        (b"--XXXX\r\n" + b"a: b\r\n" * 5000 + b"\r\n1\r\n--XXXX--\r\n", "multipart/form-data; boundary=XXXX"),
        (form(*FIELDS, ("user", "\udcff")), "multipart/form-data; boundary=XXXX"),
        (b"model=m&prompt=x", "application/x-www-form-urlencoded"),
        (form(*FIELDS), "application/json"),
        (form(*FIELDS), ""),
        (form(*FIELDS), "multipart/form-data; boundary=\xff"),
    ],
)
async def test_a_body_that_is_no_form_is_a_400_and_no_log_line(
    ask: Any, caplog: pytest.LogCaptureFixture, body: bytes, kind: str
) -> None:
    app = Gateway(settings_from({"models": {}}), models={"m": Editor()})
    with caplog.at_level(logging.WARNING):
        reply = await ask(app, "POST", "/v1/images/edits", body, {"content-type": kind}).done()
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert not caplog.records


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize("kind", [FORM["content-type"], "application/json"])
async def test_a_body_over_the_bound_is_a_413(ask: Any, says_so: bool, kind: str) -> None:
    limits = {"limits": {"max_body_bytes": 1000}}
    app = Gateway(settings_from({"models": {}, "server": limits}), models={"m": Editor()})
    body = form(*FIELDS[:2], ("image", PNG * 1000))
    headers = {"content-type": kind, **({"content-length": str(len(body))} if says_so else {})}
    parts = [body[start : start + 400] for start in range(0, len(body), 400)]
    reply = await ask(app, "POST", "/v1/images/edits", parts, headers).done()
    assert reply.status == 413
    assert reply.error["type"] == "invalid_request_error"


async def test_a_large_file_arrives_whole_in_whatever_pieces(ask: Any) -> None:
    large = PNG + os.urandom(3_000_000)
    app = Gateway(settings_from({"models": {}}), models={"m": Editor()})
    body = form(("image", large), *FIELDS[:2])
    parts = [body[start : start + 65_537] for start in range(0, len(body), 65_537)]
    reply = await ask(app, "POST", "/v1/images/edits", parts, FORM).done()
    assert base64.b64decode(reply.json["data"][0]["b64_json"]) == large
    text = base64.b64encode(large).decode()
    raw = json.dumps({"model": "m", "prompt": "x", "image": text}).encode()
    reply = await ask(app, "POST", "/v1/images/edits", raw).done()
    assert base64.b64decode(reply.json["data"][0]["b64_json"]) == large
    raw = json.dumps({"model": "m", "prompt": "x", "image": f"{text[:2_000_002]}=={text[2_000_002:]}"}).encode()
    assert (await ask(app, "POST", "/v1/images/edits", raw).done()).error["param"] == "image"


async def test_a_client_that_leaves_while_it_sends_is_forgotten(ask: Any) -> None:
    app = Gateway(settings_from({"models": {}}), models={"m": Editor()})
    records: list[Any] = []
    app.recorded = records.append  # type: ignore[method-assign]
    reply = ask(app, "POST", "/v1/images/edits", [form(*FIELDS)[:100], b""], FORM)
    first, _ = reply.incoming.get_nowait(), reply.incoming.get_nowait()
    reply.incoming.put_nowait(first)
    reply.disconnect()
    await reply.done()
    assert not reply.messages
    assert records[0].status == 499


async def test_a_client_that_leaves_stops_the_model(edit: Any) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    class Stuck(ImageModel):
        async def _aedit_images(self, images, prompt):
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    reply = edit(Stuck(), *FIELDS)
    await began.wait()
    reply.disconnect()
    await reply.done()
    assert ended.is_set()


async def test_a_model_that_edits_no_images_is_the_clients_400(edit: Any) -> None:
    class OnlyMakes(ImageModel):
        def _generate_images(self, prompt):
            return PNG

    class Making(CustomLLM):
        def image_generation(self, prompt):
            return PNG

    for model in (OnlyMakes(), Making()):
        reply = await edit(model, *FIELDS).done()
        assert (reply.status, reply.error["param"]) == (400, "model")


async def test_nonsense_is_a_500_without_a_traceback(edit: Any) -> None:
    class Nonsense(ImageModel):
        def _edit_images(self, images, prompt):
            return "no image"

    reply = await edit(Nonsense(), *FIELDS).done()
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert "Traceback" not in reply.error["message"]
