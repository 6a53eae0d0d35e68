"""`EmbeddingModel`: an embedding model of your own. Write one hook, get every way to call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import Field

from modelport.engine.call import Call
from modelport.engine.hook_sets import HookSet
from modelport.engine.hooks import Hook
from modelport.engine.vectors import (
    EMBEDDING_HOOKS,
    Vector,
    aembed_many,
    aembed_one,
    check_lengths,
    embed_many,
    embed_one,
)
from modelport.models.base import AuthoredModel
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import scope_of
from modelport.values.embeddings import Embedding, EmbeddingResult
from modelport.values.errors import HookError, InputError
from modelport.values.usage import Usage

if TYPE_CHECKING:
    from modelport.engine.model import EngineModel
    from modelport.runs.scope import Scope

_FACES = ("embed", "aembed", "embed_documents", "aembed_documents", "embed_query", "aembed_query")


class EmbeddingModel(AuthoredModel):
    """Is an embedding model: texts in, vectors out.

    Subclass it, declare fields, and write `_embed(self, texts, **kwargs)` or `_aembed`: it returns one vector per
    text, in order (lists, tuples, numpy or torch; an exception in a slot fails that text). One hook call gets at most
    `max_batch_size` texts. Embeddings tell no runs: callbacks hear only of the models that a hook calls.
    """

    __modelport_kind__: ClassVar[str] = "embedding"
    __modelport_hook_set__: ClassVar[HookSet] = EMBEDDING_HOOKS

    dimensions: int | None = Field(default=None, ge=1)
    """How many numbers every vector has: given to a hook that takes `dimensions`, checked for all; None: whatever
    the hook gives."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        face = next((name for name in _FACES if name in cls.__dict__), None)
        if face is not None and not cls.__modelport_hooks__.present:
            raise TypeError(
                f"{cls.__name__}.{face} is what callers use, and the framework's; write the hook "
                f"{EMBEDDING_HOOKS.forms[0].example} and leave {face} to it"
            )

    def embed_query(
        self, text: str, *, dimensions: int | None = None, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Vector:
        """Return the vector of one text; the arguments are those of `embed`."""
        hook = _hook(self.__modelport_hooks__.answer)
        scope, own = scope_of(config), self._keywords(hook, dimensions, kwargs)
        embedding = embed_one(self._call_of(text, scope, own))
        self._check([embedding], hook, dimensions)
        return embedding.vector

    async def aembed_query(
        self, text: str, *, dimensions: int | None = None, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Vector:
        """Return the vector of one text, on the running loop; see `embed`."""
        hook = _hook(self.__modelport_hooks__.async_answer)
        scope, own = scope_of(config), self._keywords(hook, dimensions, kwargs)
        embedding = await aembed_one(self._call_of(text, scope, own))
        self._check([embedding], hook, dimensions)
        return embedding.vector

    def embed_documents(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Vector]:
        """Return one vector per text, in order; the arguments are those of `embed`."""
        return self.embed(texts, dimensions=dimensions, config=config, **kwargs).embeddings

    async def aembed_documents(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Vector]:
        """Return one vector per text, in order, on the running loop; see `embed`."""
        return (await self.aembed(texts, dimensions=dimensions, config=config, **kwargs)).embeddings

    def embed(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> EmbeddingResult:
        """Return the vectors of many texts, with usage.

        Args:
            texts: One vector comes back for each, in order; none at all calls no hook.
            dimensions: How many numbers each vector is to have; default: the field of that name.
            config: Its `timeout` holds for all texts together.
            **kwargs: For the hook.

        Raises:
            InputError: `texts` is one text or holds something else, or the model does not give so many `dimensions`.
            KeywordError: A keyword that the hook does not take.
            HookError: The hook gave something that is not one vector per text, all of one length.
            ModelTimeoutError: The config's timeout passed.
            Exception: Whatever the hook raised, unchanged: the first failure, in order, after all parts have run.
        """
        hook, scope = _hook(self.__modelport_hooks__.many), scope_of(config)
        calls = self._calls_of(texts, scope, self._keywords(hook, dimensions, kwargs))
        embeddings = embed_many(calls, scope.max_concurrency if scope is not None else None)
        return self._result(embeddings, hook, dimensions)

    async def aembed(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> EmbeddingResult:
        """Return the vectors of many texts, with usage, on the running loop; see `embed`."""
        hook, scope = _hook(self.__modelport_hooks__.async_many), scope_of(config)
        calls = self._calls_of(texts, scope, self._keywords(hook, dimensions, kwargs))
        embeddings = await aembed_many(calls, scope.max_concurrency if scope is not None else None)
        return self._result(embeddings, hook, dimensions)

    def _call_of(self, text: Any, scope: Scope | None, kwargs: Mapping[str, Any]) -> Call:
        if not isinstance(text, str):
            raise InputError(f"a text to embed must be a str, not {type(text).__name__}", param="input")
        return Call(cast("EngineModel", self), text, scope=scope, kwargs=kwargs)

    def _calls_of(self, texts: Any, scope: Scope | None, kwargs: Mapping[str, Any]) -> list[Call]:
        if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
            hint = "write embed_documents([text]), or embed_query(text)"
            raise InputError(f"embedding takes a list of texts, not one {type(texts).__name__}; {hint}", param="input")
        return [self._call_of(text, scope, kwargs) for text in cast("Iterable[Any]", texts)]

    def _keywords(self, hook: Hook, dimensions: Any, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the hook gets as keywords: the caller's own, and the dimensions when it takes them.

        Raises:
            InputError: `dimensions` is no length, or one that this model is known not to give.
        """
        asked = self.dimensions if dimensions is None else dimensions
        if asked is None:
            return kwargs
        if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
            raise InputError(f"dimensions must be an int of at least 1, or None, not {asked!r}", param="dimensions")
        if hook.takes("dimensions"):
            return {**kwargs, "dimensions": asked}
        if self.dimensions is not None and asked != self.dimensions:
            raise self._other_length(hook, self.dimensions, asked)
        return kwargs

    def _check(self, embeddings: list[Embedding], hook: Hook, dimensions: int | None) -> None:
        """Refuse vectors of several lengths, or of another one than was asked for.

        Raises:
            InputError: The call asked for a length that the hook does not do.
            HookError: The hook did not keep to the length that it takes, or that the field says.
        """
        length = check_lengths(embeddings, hook.label)
        asked = self.dimensions if dimensions is None else dimensions
        if asked is None or length == asked:
            return
        if dimensions is not None and "dimensions" not in hook.supports:
            raise self._other_length(hook, length, asked)
        raise HookError(f"{hook.label} gave vectors of {length} numbers where dimensions={asked} was asked for")

    def _other_length(self, hook: Hook, length: int, asked: int) -> InputError:
        return InputError(
            f"{type(self).__name__} gives vectors of {length} numbers, not of {asked}: {hook.label} has no parameter "
            f"`dimensions`; ask for {length}, or for none",
            param="dimensions",
        )

    def _result(self, embeddings: list[Embedding], hook: Hook, dimensions: int | None) -> EmbeddingResult:
        if embeddings:
            self._check(embeddings, hook, dimensions)
        usage = sum((one.usage for one in embeddings if one.usage is not None), Usage())
        return EmbeddingResult([one.vector for one in embeddings], usage, self.get_model_name())


def _hook(hook: Hook | None) -> Hook:
    assert hook is not None, "a class without hooks cannot be instantiated"
    return hook
