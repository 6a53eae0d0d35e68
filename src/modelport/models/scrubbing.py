"""Takes secrets and file paths out of the texts that leave the process (guarantees 11 and 12)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from modelport.models.secrets import MASK, known_secrets

SECRET_NAME = re.compile(
    r"(?:^|_|api)key$|(?<!eos_)(?<!bos_)(?<!pad_)(?<!unk_)(?<!end_)(?<!stop_)token$|secret|passw|credential",
    re.IGNORECASE,
)
"""What a setting is called whose value is a secret."""
SHORTEST_SECRET = 4
"""A shorter text hides nothing: taking it out would only maul messages."""

_KEY = re.compile(
    r"""\bsk-[\w-]{6,} | (?<=Bearer\ )[\w.~+/=-]{6,} | \bAKIA\w{12,} | \bAIza[\w-]{20,}
      | \b(?:hf|gsk|ghp|gho|github_pat|xai|pk|rk|xox[abp])[-_](?=[\w-]*\d)[\w-]{16,}""",
    re.VERBOSE,
)
"""The look of well-known keys, wherever they came from."""
_PATH = re.compile(
    r"""(?P<quote>['"])(?:/|~[/\\]|[A-Za-z]:[\\/])[^'"\n]+(?P=quote)   # in quotes: may have spaces
      | \bfile://[^\s'"]+
      | (?<![\w/.])(?:~|\.{1,2})?(?:/[\w.@+~-]+){2,}                  # Unix, at least two steps
      | (?<!\w)[A-Za-z]:[\\/][^\s'"]+                                 # Windows
    """,
    re.VERBOSE,
)
"""A path of the file system; the path of a URL stays."""
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ |+].*(?:\n|\Z))*")
"""The beginning of a traceback up to the line that names the error."""


class Scrubber:
    """Writes `***` in place of secrets, of what looks like a key, and of file paths; the rest of a text stays."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        distinct = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        self._secrets = sorted(distinct, key=len, reverse=True)

    def __contains__(self, text: str) -> bool:
        return any(secret in text for secret in self._secrets)

    def with_secrets_in(self, settings: Any) -> Scrubber:
        """Return a scrubber that also knows the values of settings that are named like secrets."""
        return Scrubber([*self._secrets, *_named_secrets(settings)])

    def for_model(self, model: Any) -> Scrubber:
        """Return a scrubber that also knows the secrets among a model's fields."""
        return Scrubber([*self._secrets, *known_secrets(model), *_named_secrets(vars(model))])

    def without_secrets(self, text: str) -> str:
        """Return a text for the operator's eyes: no secrets, but paths stay."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _KEY.sub(MASK, text)

    def without_traces(self, text: str) -> str:
        """Return a text for the caller's eyes: no secrets, no paths, no lines of code."""
        if "Traceback (" in text:
            text = _TRACEBACK.sub("", text)
        return _PATH.sub(_masked, self.without_secrets(text))


def _masked(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{quote}{MASK}{quote}"


def _named_secrets(value: Any, depth: int = 6) -> list[str]:
    """Return the texts under names such as `api_key`, inside dicts and lists too."""
    if not depth:
        return []
    found: list[str] = []
    if isinstance(value, BaseModel):
        value = vars(value)
    if isinstance(value, Mapping):
        for name, one in value.items():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(name, str) and isinstance(one, str) and SECRET_NAME.search(name):
                found.append(one)
            else:
                found.extend(_named_secrets(one, depth - 1))
    elif isinstance(value, (list, tuple)):
        for one in value:  # pyright: ignore[reportUnknownVariableType]
            found.extend(_named_secrets(one, depth - 1))
    return found
