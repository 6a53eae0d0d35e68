"""The page at `/docs`: it says what is there, loads nothing from elsewhere, and its lines work."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser

import pytest

from modelport.gateway.docs_page import DOCS_HEADERS, docs_html
from modelport.gateway.docs_samples import SERVER, chat_samples, curl_sample
from modelport.gateway.openapi import EXAMPLES, openapi


class Page(HTMLParser):
    """Takes a page apart."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open_tags: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(docs_html().decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open_tags:
            self.texts.setdefault(self.open_tags[-1], []).append(data)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


def test_every_endpoint_and_every_field_is_shown(page: Page) -> None:
    assert not page.open_tags
    codes = set(page.texts["code"])
    document = openapi()
    for path, operations in document["paths"].items():
        assert (path if "servers" in operations else f"/v1{path}") in codes
    for name in ("ChatCompletionRequest", "ImageEditRequest", "RerankRequest"):
        assert set(document["components"]["schemas"][name]["properties"]) <= codes


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    addresses = [
        attrs[name] for _, attrs in page.tags for name in ("src", "href", "action", "srcset", "data") if name in attrs
    ]
    assert sorted(map(str, addresses)) == ["data:,", "openapi.json"]
    assert "url(" not in "".join(page.texts["style"])
    assert "@import" not in "".join(page.texts["style"])
    assert not re.search(r"fetch|XMLHttpRequest|import\(", "".join(page.texts["script"]))


def test_its_policy_lets_its_own_script_and_style_run_and_nothing_else(page: Page) -> None:
    headers = dict(DOCS_HEADERS)
    rules = dict(rule.strip().split(" ", 1) for rule in headers[b"content-security-policy"].decode().split(";"))
    assert rules["default-src"] == "'none'"
    for tag in ("style", "script"):
        [text] = page.texts[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [name for _, attrs in page.tags for name in attrs if name == "style" or name.startswith("on")]


def test_it_fits_a_phone_and_a_dark_screen(page: Page) -> None:
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags
    assert "prefers-color-scheme: dark" in page.texts["style"][0]


def test_the_pages_own_address_takes_the_place_of_the_samples_one(page: Page) -> None:
    places = [attrs for tag, attrs in page.tags if tag == "span" and attrs.get("class") == "server"]
    assert len(places) == docs_html().decode().count(SERVER) > 10
    assert 'querySelectorAll(".server")' in page.texts["script"][0]


def test_the_python_lines_are_python_and_ask_this_server() -> None:
    code = chat_samples()["Stream by Python"]
    ast.parse(code)
    assert f'base_url="{SERVER}/v1"' in code


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_curl_lines_send_what_they_show(path: str) -> None:
    words = shlex.split(curl_sample("POST", path, EXAMPLES[path]).replace("\\\n", ""))
    assert words[:2] == ["curl", f"{SERVER}/v1{path}"]
    assert json.loads(words[words.index("-d") + 1]) == EXAMPLES[path]


def test_a_form_is_sent_as_one_and_health_needs_no_key() -> None:
    form = curl_sample("POST", "/images/edits", None)
    assert "-F image=@picture.png" in form
    assert " -d " not in form
    assert curl_sample("GET", "/health/live", None, is_root=True) == f"curl {SERVER}/health/live"
