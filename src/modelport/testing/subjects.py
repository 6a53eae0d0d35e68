"""What one factory gives to check: a model, or a handler with every model that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelport.models.base import AuthoredModel
from modelport.models.handler_models import HandlerKind, HandlerModels
from modelport.registry.provider import is_handler
from modelport.testing.checks import TEXT, Check
from modelport.testing.faces import Through
from modelport.testing.handler_subject import HandlerSubject
from modelport.testing.subject import Subject, no_model
from modelport.values.errors import CustomLLMError

_HANDLER_MODELS: dict[str, HandlerKind] = {TEXT: "chat", "embedding": "embedding", "image": "image"}
_DOES = {TEXT: "answers", "embedding": "makes embeddings", "image": "makes images"}


class Subjects:
    """Is what a factory's models and handlers are checked as, by what checks are about."""

    def __init__(
        self, make: Callable[[], Any], prompts: Sequence[Any] | None = None, through: Through | None = None
    ) -> None:
        """Find out what the factory makes; the arguments are those of `run_checks`.

        Raises:
            TypeError: It makes neither a model nor a handler, or `through` fits no model of it.
        """
        self._subjects: dict[str, Subject | HandlerSubject] = {}
        made = make()
        if isinstance(made, AuthoredModel):
            subject = Subject(make, prompts, through)
            self._subjects[subject.about] = subject
            self._other = f"{type(made).__name__} {_DOES[subject.about]}"
            return
        if not is_handler(made) or isinstance(made, type):
            raise no_model(made)
        self._other = f"{type(made).__name__} is a handler without methods for that"
        for about, kind in _HANDLER_MODELS.items():
            if through is None or about == TEXT:
                self._add_model(about, kind, make, prompts, through)
        if through is None:
            self._subjects["handler"] = HandlerSubject(make, prompts)

    def _add_model(
        self, about: str, kind: HandlerKind, make: Callable[[], Any], prompts: Sequence[Any] | None, through: Any
    ) -> None:
        def make_model() -> Any:
            return HandlerModels(make()).model(kind)

        try:
            make_model()
        except CustomLLMError:
            return  # it has no method for that
        self._subjects[about] = Subject(make_model, prompts, through)

    def of(self, one: Check) -> Subject | HandlerSubject:
        """Return the subject that a check is about.

        Raises:
            KeyError: There is none; `why_not` tells why.
        """
        return self._subjects[one.about]

    def why_not(self, one: Check) -> str | None:
        """Return why a check does not apply, None when it does."""
        subject = self._subjects.get(one.about)
        if subject is not None:
            return one.why_not(subject)
        wanted = "handlers" if one.about == "handler" else f"what {_DOES[one.about]}"
        return f"it is about {wanted}; {self._other}"
