"""What MODEL stands for on the command line: an import path, `provider/model`, a name of a config or of a server."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from modelport.cli.params import params_of, text_fields_of
from modelport.models.base import FRAMEWORK_FIELDS, AuthoredModel
from modelport.registry.builtin import BUILTIN
from modelport.registry.loader import described, load_object
from modelport.registry.made import made_provider, takes
from modelport.registry.provider import Kind, is_handler
from modelport.registry.providers import Target, find_provider, resolve
from modelport.values.errors import InputError, LoadError, ModelNotFoundError
from modelport.values.foreign import adapter_for

FORMS = (
    "write an import path (my_models:MyLLM, or path/to/my_models.py:MyLLM), provider/model (openai/gpt-4o-mini), a "
    "name of --config config.yaml, or a server's model with --url http://host/v1"
)
"""How a model is named, for messages."""
KINDS: tuple[Kind, ...] = ("chat", "embedding", "image")
"""What a model can be asked for here, the usual first."""
_KIND_NAMED: dict[str, Kind] = dict(zip(KINDS, KINDS, strict=True))

_IMPORT_PATH = re.compile(r".*\.py:[\w.]+|[^/\\:]+:[\w.]+|[A-Za-z_]\w*(\.\w+)+")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Is what was typed to name a model."""

    model: str
    """An import path, `provider/model`, or a name."""
    config: Path | None = None
    """The config that the name is of."""
    url: str | None = None
    """The server that the name is of, up to and with `/v1`."""
    key: str | None = None
    """The key that goes to the server or the provider."""
    params: tuple[str, ...] = ()
    """`name=value`, each: fields of the model's class, all others parameters of each call."""

    def find(self) -> Addressed:
        """Return the model.

        Raises:
            InputError: It is addressed in two ways at once, or a value is wrong.
            LoadError: It cannot be imported or made.
            ModelNotFoundError: Nothing has that name.
        """
        if self.config is not None and self.url is not None:
            raise InputError("a model is one of a config or of a server; give --config or --url, not both")
        if self.url is not None:
            check_url(self.url)
            provider = BUILTIN["openai"]()
            return Addressed(Target("openai", self.model, provider, self.key, self.url), params_of(self.params))
        if self.config is not None:
            return self._of_config(self.config)
        if is_import_path(self.model):
            return self._of_import_path()
        return self._of_name()

    def _of_import_path(self) -> Addressed:
        found = load_value(self.model)
        params = params_of(self.params, text_fields_of(found))
        own = {name: value for name, value in params.items() if _is_for(found, name)}
        provider = made_provider(made_by_function(found, own, self.model), own if is_class(found) else {}, self.model)
        rest = {name: value for name, value in params.items() if name not in own}
        name = self.model.rpartition(":")[2].rpartition(".")[2]
        return Addressed(Target(name, name, provider, self.key, None), rest)

    def _of_name(self) -> Addressed:
        provider, slash, _ = self.model.partition("/")
        if not slash and find_provider(provider) is None:
            raise ModelNotFoundError(f"{self.model!r} names no model; {FORMS}")
        return Addressed(resolve(self.model, api_key=self.key), params_of(self.params))

    def _of_config(self, config: Path) -> Addressed:
        from modelport.gateway.config import load_settings
        from modelport.gateway.model_source import make_source
        from modelport.gateway.patterns import matches

        settings = load_settings(config)
        name = settings.aliases.get(self.model, self.model)
        wildcards = sorted((one for one in settings.models if "*" in one), key=len, reverse=True)
        key = name if name in settings.models else next((one for one in wildcards if matches(one, name)), None)
        if key is None:
            known = [*settings.models, *settings.aliases]
            near = difflib.get_close_matches(self.model, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its models are {', '.join(known) or 'none'}"
            raise ModelNotFoundError(f"{config} has no model {self.model!r}; {hint}")
        part = settings.models[key].parts()[0]
        source = make_source(part.use, part.params, settings)
        if source.is_wildcard:
            before, _, after = key.partition("*")
            source = source.with_model(name[len(before) : len(name) - len(after)])
        target = Target(
            source.label.partition("/")[0], source.model, source.provider, self.key or source.api_key, source.api_base
        )
        return Addressed(target, {**source.defaults, **params_of(self.params)})


class Addressed(msgspec.Struct, frozen=True):
    """Is a model that was found, and what each call of it is given."""

    target: Target
    """Who gives the model, and its name there."""
    params: Mapping[str, Any]
    """Parameters of each call."""

    def kind(self, wanted: str | None = None) -> Kind:
        """Return what the model is asked for: `wanted`, or the first of chat, embedding and image that it does.

        Raises:
            InputError: It does not do that, or none of them.
            MissingExtraError: What would do it is not installed.
        """
        # What is said about the first is what is wrong with a model that does none of them.
        if wanted is None:
            wanted = [*self.kinds(), *KINDS][0]
        kind = _KIND_NAMED.get(wanted)
        if kind is None:
            raise InputError(f"--kind must be one of {', '.join(KINDS)}, not {wanted!r}")
        self.target.model_for(kind)
        return kind

    def kinds(self) -> list[Kind]:
        """Return what the model can be asked for.

        Raises:
            MissingExtraError: What would answer is not installed.
        """
        return [kind for kind in KINDS if self._has(kind)]

    def _has(self, kind: Kind) -> bool:
        try:
            self.target.model_for(kind)
        except ImportError:
            raise
        except Exception:  # noqa: BLE001 - it has none of that kind
            return False
        return True


def check_url(url: str) -> None:
    """Refuse what is no server's address.

    Raises:
        InputError: It is none.
    """
    try:
        address = urlsplit(url)
        is_one = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:  # of the port, or of an IPv6 address
        is_one = False
    if not is_one or re.search(r"\s", url):
        raise InputError(f"{url!r} is no server's address; it begins with http:// or https://, as http://host/v1")


def is_import_path(text: str) -> bool:
    """Tell whether a text reads like `module:attr`, `module.attr` or `path/to/file.py:attr`."""
    return _IMPORT_PATH.fullmatch(text) is not None


def is_class(value: Any) -> bool:
    """Tell whether a value is the class of a model or a handler, ours or another framework's."""
    if not isinstance(value, type):
        return False
    return issubclass(value, AuthoredModel) or is_handler(value) or adapter_for(value) is not None


def is_function(value: Any) -> bool:
    """Tell whether a value is a function that makes a model."""
    return inspect.isroutine(value)


def load_value(path: str) -> Any:
    """Return what an import path names; its file may say `import litellm` where LiteLLM is not installed.

    Raises:
        LoadError: It cannot be imported.
    """
    importlib.import_module("modelport.integrations.litellm")
    return load_object(path)


def made_by_function(value: Any, params: Mapping[str, Any], name: str) -> Any:
    """Return what a function makes, when the value is one, else the value.

    Raises:
        LoadError: The function failed.
    """
    if not is_function(value):
        return value
    make: Any = value
    try:
        return make(**params)
    except Exception as error:
        raise LoadError(f"{name!r} cannot be made: {described(error)}") from error


def _is_for(found: Any, param: str) -> bool:
    """Tell whether a param is one that a model is made with."""
    if is_function(found):
        parameters = inspect.signature(found).parameters.values()
        return any(one.name == param or one.kind is one.VAR_KEYWORD for one in parameters)
    return is_class(found) and (takes(found, param) or param in FRAMEWORK_FIELDS)


def near_name(name: str, known: Iterable[str]) -> str:
    """Return a hint that names what is near, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
