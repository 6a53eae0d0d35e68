"""What one factory gives to check: a model, or a handler with every model that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelport.models.base import AuthoredModel
from modelport.models.handler_models import HandlerKind, HandlerModels
from modelport.registry.provider import foreign_model, is_handler
from modelport.testing.checks import ANY, TEXT, Check
from modelport.testing.faces import Through
from modelport.testing.handler_subject import HandlerSubject
from modelport.testing.raw_scope import why_not_raw
from modelport.testing.subject import Subject, no_model
from modelport.values.errors import CustomLLMError

_HANDLER_MODELS: dict[str, HandlerKind] = {TEXT: "chat", "embedding": "embedding", "image": "image"}
_DOES = {TEXT: "answers", "embedding": "makes embeddings", "image": "makes images"}


class Subjects:
    """Is what a factory's models and handlers are checked as, by what checks are about."""

    def __init__(
        self,
        make: Callable[[], Any],
        prompts: Sequence[Any] | None = None,
        through: Through | None = None,
        *,
        raw: bool = False,
    ) -> None:
        """Find out what the factory makes; the arguments are those of `run_checks`.

        Raises:
            TypeError: It makes neither a model nor a handler, or `through` fits no model of it.
        """
        if raw and through is not None:
            raise TypeError("`raw` shows the author's own code, which nothing can be put around: leave `through` out")
        self.raw = raw
        """Whether the author's own code is looked at, without the guarantees."""
        self._subjects: dict[str, Subject | HandlerSubject] = {}
        make, made = _of_models(make)
        if isinstance(made, AuthoredModel):
            subject = Subject(make, prompts, through, raw=raw)
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
        self._subjects[about] = Subject(make_model, prompts, through, raw=self.raw)

    def of(self, one: Check) -> Subject | HandlerSubject:
        """Return the subject that a check is about.

        Raises:
            KeyError: There is none; `why_not` tells why.
        """
        return self._find(one.about)

    def _find(self, about: str) -> Subject | HandlerSubject:
        if about == ANY:
            return next(subject for subject in self._subjects.values() if isinstance(subject, Subject))
        return self._subjects[about]

    def why_not(self, one: Check) -> str | None:
        """Return why a check does not apply, None when it does."""
        try:
            subject = self._find(one.about)
        except (KeyError, StopIteration):
            subject = None
        if subject is not None and self.raw:
            reason = why_not_raw(one.id, of_handler=hasattr(subject.cls, "__modelport_methods__"))
            if reason is not None:
                return f"in raw mode {reason}"
        if subject is not None:
            return one.why_not(subject)
        wanted = {"handler": "handlers", ANY: "models"}.get(one.about) or f"what {_DOES[one.about]}"
        return f"it is about {wanted}; {self._other}"


def _of_models(make: Callable[[], Any]) -> tuple[Callable[[], Any], Any]:
    """Return a factory and one of what it makes; objects of another framework (LangChain's) as models of ours."""
    made = make()
    foreign = foreign_model(made, {})
    return (make, made) if foreign is None else (lambda: foreign_model(make(), {}), foreign)
