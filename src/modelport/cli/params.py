"""`--param name=value`: values from the command line, with `${NAME}` from the environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from modelport.values.errors import InputError

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}")
_TEXTS = (str, SecretStr, str | None, SecretStr | None)
"""Fields of these types take a value as it is typed."""


def params_of(given: Iterable[str], text_fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the values that `name=value` arguments give.

    A value is JSON where it reads as JSON (`3`, `true`, `[1, 2]`), else a text; what has a `${NAME}` in it is a text.

    Args:
        given: The arguments.
        text_fields: Annotations by field; for those that are texts the value is taken as it is.

    Raises:
        InputError: There is no `=`, a name is there twice, or an environment variable is not set.
    """
    found: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise InputError(f"--param takes name=value, as in --param n=3, not {one!r}")
        if name in found:
            raise InputError(f"--param {name}=… is given twice; give it once")
        found[name] = _value_of(name, value, is_text=(text_fields or {}).get(name) in _TEXTS)
    return found


def _value_of(name: str, value: str, *, is_text: bool) -> Any:
    if "${" in value:
        return _VARIABLE.sub(lambda variable: _from_environment(name, variable), value)
    if is_text:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _from_environment(param: str, variable: re.Match[str]) -> str:
    name, default = variable[1], variable[2]
    value = os.environ.get(name) or default
    if value is None:
        raise InputError(f"--param {param}: the environment variable {name!r} is not set; set it: export {name}=…")
    return value


def text_fields_of(value: Any) -> dict[str, Any]:
    """Return the annotations of a model class's fields; of anything else none."""
    fields: Mapping[str, Any] = getattr(value, "model_fields", {}) if isinstance(value, type) else {}
    return {name: field.annotation for name, field in fields.items()}
