"""`http/RECIPE`: what a model behind one of the servers that `providers.recipes` knows is made with."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from modelport.providers.recipes import ollama, text_generation_inference, torch_serve
from modelport.values.errors import InputError

_Fields = dict[str, Any]


def http_fields(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an HTTP model.

    Args:
        name: `http` alone: the params say all; or a recipe, `torchserve`, `tgi`, `ollama`, and after a slash the
            model's name there.
        params: The fields, which win over the recipe's; a recipe also takes `base_url` (or `api_base`): the address of
            the server without a path. `url` is the whole address.

    Raises:
        InputError: There is no such recipe, or it lacks the model's name or the address.
    """
    given = dict(params)
    recipe, _, model = name.partition("/")
    if recipe == "http":
        return given
    fill = _RECIPES.get(_plain(recipe))
    if fill is None:
        near = difflib.get_close_matches(recipe, _NAMES, n=1)
        hint = f"did you mean 'http/{near[0]}'?" if near else f"known: {', '.join(f'http/{one}' for one in _NAMES)}"
        raise InputError(f"there is no recipe {recipe!r} for 'http'; {hint}")
    if model:
        given.setdefault("model", model)
    addresses = [given.pop(one) for one in ("base_url", "api_base") if one in given]
    base: _Fields = {"base_url": addresses[0]} if addresses else {}
    if given.get("api_key") is not None and "headers" not in given:
        given["headers"] = {"authorization": "Bearer {{ api_key }}"}
    return {**fill(given, base), **given}


def is_recipe(name: str) -> bool:
    """Tell whether a name after `http/` is a recipe's, with or without a model's name behind it."""
    return _plain(name.partition("/")[0]) in _RECIPES


def _plain(recipe: str) -> str:
    return recipe.replace("-", "").replace("_", "").lower()


def _torchserve(given: _Fields, base: _Fields) -> _Fields:
    url = given.get("url")
    model = given.get("model") or (unquote(urlsplit(url).path.rpartition("/")[2]) if isinstance(url, str) else "")
    if not model:
        raise InputError("'http/torchserve' needs 'url' (http://host:8080/predictions/NAME), or 'model' and 'base_url'")
    return torch_serve(model, **base)


def _tgi(given: _Fields, base: _Fields) -> _Fields:
    url = given.get("url")
    if not base and isinstance(url, str):
        base = {"base_url": url.rstrip("/").removesuffix("/generate")}
    return text_generation_inference(**base)


def _ollama(given: _Fields, base: _Fields) -> _Fields:
    if not given.get("model"):
        raise InputError("'http/ollama' needs the model's name: write 'http/ollama/NAME', or params: {model: NAME}")
    return ollama(given["model"], **base)


_RECIPES: dict[str, Callable[[_Fields, _Fields], _Fields]] = {
    "torchserve": _torchserve,
    "tgi": _tgi,
    "textgenerationinference": _tgi,
    "ollama": _ollama,
}
_NAMES = ("torchserve", "tgi", "ollama")
