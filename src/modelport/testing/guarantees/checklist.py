"""The checklist at the end of the custom LLM guide, as far as it is about how a class is written.

The rest of it is in other areas: stop is respected (`stop:*`), the callback comes before the yield (`order:*`), and
sync, async, batch and stream are verified (`derive:*`, `parity:*`).
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from modelport.testing.author import author_of, documented_names, init_arguments, is_secret_name, own_fields
from modelport.testing.checks import NotApplicable, check, expect
from modelport.testing.subject import Subject

SOURCE = "custom LLM guide, checklist"


@check("checklist:docs:class", source=f"{SOURCE}: documentation")
async def documented_class(subject: Subject) -> None:
    """The class has a docstring of its own, which says what the model is."""
    author = author_of(subject)
    own = author.__dict__.get("__doc__")
    expect(
        isinstance(own, str) and own.strip(),
        f"{author.__name__} has no docstring",
        f'write one below `class {author.__name__}`: """Answers …"""',
    )


@check("checklist:docs:arguments", source=f"{SOURCE}: doc-strings for all initialization arguments")
async def documented_arguments(subject: Subject) -> None:
    """Every argument of the class's initialization is documented: a field by its docstring, others in the class's."""
    author = author_of(subject)
    names = [*own_fields(author), *init_arguments(author)]
    if not names:
        raise NotApplicable(f"{author.__name__} has no field and no `__init__` of its own")
    missing = [name for name in names if name not in documented_names(author)]
    expect(
        not missing,
        f"no docstring says what these are: {', '.join(missing)}",
        f"put a docstring under the field, or a description into it: `{missing[0] if missing else 'x'}: …` and below "
        f'it """What it is."""; arguments of `__init__` are named in its docstring',
    )


@check("checklist:secrets:typed", source=f"{SOURCE}: secret API keys are pydantic's SecretStr")
async def typed_secrets(subject: Subject) -> None:
    """A field whose name says that it holds a secret (api_key, token, password, …) is a `SecretStr`."""
    fields = own_fields(author_of(subject))
    named = [name for name in fields if is_secret_name(name)]
    if not named:
        raise NotApplicable("no field has a name like api_key, token, password or secret")
    plain = [name for name in named if re.search(r"\bstr\b|\bbytes\b|\bAny\b", _annotation(fields[name]))]
    expect(
        not plain,
        f"printed with the model, as plain text: {', '.join(plain)}",
        f"declare `{plain[0] if plain else 'api_key'}: SecretStr` (`from pydantic import SecretStr`), and ask for "
        f"`.get_secret_value()` where it is sent",
    )


def _annotation(annotation: Any) -> str:
    """Return a field's type as text, `SecretStr` being no `str`."""
    return inspect.formatannotation(annotation)
