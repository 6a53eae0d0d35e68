"""The page about the gateway lists what the code has: keys of the config, paths, options, metrics, log fields."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from modelport.cli.app import app as command_line
from modelport.gateway.app import ENDPOINTS
from modelport.gateway.config_schema import config_schema
from modelport.gateway.exposition import exposition
from modelport.gateway.litellm_config import _SECTIONS, _TAKEN
from modelport.gateway.metric_snapshots import Snapshot
from modelport.gateway.metrics import ENDPOINTS as COUNTED_PATHS
from modelport.gateway.openapi import openapi
from modelport.gateway.record import RequestRecord
from modelport.gateway.request_log import RequestLog

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
TEXT = PAGE.read_text(encoding="utf-8")
LITELLM = TEXT.partition("\n## LiteLLM's config.yaml\n")[2].partition("\n## ")[0]
SCHEMA = config_schema()


def rows(first_title: str) -> list[list[str]]:
    """Return the rows of the page's table whose first column has a title."""
    found = re.search(rf"^\| {re.escape(first_title)} \|.*\n\|[-|]+\n(?P<rows>(?:\|.*\n)+)", TEXT, re.M)
    assert found, f"there is no table with the column {first_title!r}"
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in found["rows"].splitlines()]


def config_rows(definition: Any) -> list[str]:
    """Return the rows that a class of the settings has on the page."""
    lines: list[str] = []
    for name, field in definition["properties"].items():
        if name in definition.get("required", ()):
            default = "required"
        elif "default" in field:
            default = f"`{json.dumps(field['default'])}`"
        else:
            default = "below"
        lines.append(f"| `{name}` | {default} | {field['description']} |")
    return lines


@pytest.mark.parametrize("name", ["GatewaySettings", *SCHEMA["$defs"]])
def test_the_page_has_each_key_of_the_config_with_its_default(name: str) -> None:
    definition = SCHEMA if name == "GatewaySettings" else SCHEMA["$defs"][name]
    missing = [line for line in config_rows(definition) if line not in TEXT.splitlines()]
    assert not missing, "write into docs/gateway.md:\n" + "\n".join(missing)


def test_the_page_has_each_path() -> None:
    shown = {path.strip("`") for row in rows("path") for path in re.findall(r"`(/[^`]*)`", row[0])}
    assert shown == COUNTED_PATHS
    assert {endpoint.path for endpoint in ENDPOINTS} < shown
    assert {path.removeprefix("/v1") for path in openapi()["paths"]} <= shown


def test_the_page_has_each_option_of_the_command_line() -> None:
    serve: Any = typer.main.get_command(command_line).commands["serve"]  # type: ignore[attr-defined]
    options = {option for parameter in serve.params for option in parameter.opts if option.startswith("--")}
    shown = {row[0].strip("`").split()[0] for row in rows("option")}
    assert shown == options - {"--help"}


def test_the_page_has_each_metric() -> None:
    text = exposition(Snapshot(1, [], {}), None, with_process=False)[0].decode()
    named = set(re.findall(r"^# TYPE (modelport_\S+)", text, re.M))
    assert {row[0].strip("`") for row in rows("metric")} == named


def test_the_page_has_each_field_of_the_log_in_order() -> None:
    file = io.BytesIO()
    log = RequestLog(file)
    log.write(RequestRecord("req_1", "/chat/completions"))
    assert log.close()
    shown = [name for row in rows("field") for name in re.findall(r"`(\w+)`", row[0])]
    assert shown == list(json.loads(file.getvalue()))


def test_the_page_has_each_section_and_key_of_litellm_that_is_read() -> None:
    keys = {key for taken in _TAKEN.values() for key in taken.split()}
    assert [one for one in sorted({*_SECTIONS, *keys}) if f"`{one}`" not in LITELLM] == []
