"""What every model an author writes has: the framework's fields, identity, printing, and errors that help."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from typing_extensions import override

from modelport.engine.cache import Cache
from modelport.engine.hook_sets import HookSet
from modelport.engine.hooks import Hooks, find_hooks
from modelport.engine.lifecycle import aload, aunload, load, unload
from modelport.models.construction import (
    check_fields,
    construction_error,
    no_hook,
    unknown_argument,
    warn_of_batches,
)
from modelport.models.secrets import known_secrets, scrub
from modelport.models.templates import check_chat_template
from modelport.runs.listeners import listeners_for

if TYPE_CHECKING:
    from modelport.engine.model import EngineModel


class AuthoredModel(BaseModel):
    """Is the part that `LLM`, `ChatModel`, `EmbeddingModel` and `ImageModel` share; authors subclass those."""

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        # Schemas are built at the first instance: importing modelport builds none.
        defer_build=True,
    )
    __slots__ = ("_modelport_state",)

    single_loop: ClassVar[bool] = False
    """True: the async hooks always run on one loop, for clients that are bound to a loop."""
    deterministic: ClassVar[bool] = True
    """False: equal calls may give different answers (a sampling model)."""
    supports: ClassVar[frozenset[str]] = frozenset()
    """Which of n, max_tokens, tools, response_format the hooks do beyond naming the parameter."""
    __modelport_hooks__: ClassVar[Hooks]
    __modelport_kind__: ClassVar[str]
    __modelport_serialized__: ClassVar[dict[str, Any]]
    __modelport_hook_set__: ClassVar[HookSet]

    name: str | None = Field(default=None, repr=False)
    """The name that events and callbacks carry; the class's name when None."""
    tags: list[str] | None = Field(default=None, repr=False)
    """Labels of this model's runs."""
    metadata: dict[str, Any] | None = Field(default=None, repr=False)
    """Facts about this model's runs."""
    callbacks: Sequence[Any] | None = Field(default=None, repr=False)
    """Handlers that hear of this model's runs."""
    cache: bool | Cache | None = Field(default=None, repr=False)
    """Where equal calls find the answer of the first: True: the process's own memory; or an `LRUCache`, a
    `SQLiteCache`, a `Cache` of your own."""
    max_concurrency: int | None = Field(default=None, ge=1, repr=False)
    """How many hook calls run at once, on every face, open streams included; None: no limit on direct calls."""
    max_batch_size: int | None = Field(default=None, ge=1, repr=False)
    """How many prompts one `_batch` call gets at most, of a `batch` and of concurrent single calls; None: all of a
    `batch`, and single calls are not put together."""
    max_wait_ms: float = Field(default=0, ge=0, allow_inf_nan=False, repr=False)
    """How long an idle model waits for company before it takes a single call, in milliseconds; 0: not at all."""
    chat_template: str | None = Field(default=None, repr=False)
    """How a text model sees a chat: None flattens it to `System: …`; or `chatml`, `llama3`, `gemma`, `mistral`, `last`
    (the last message's text); or a Jinja2 template, as tokenizers have it."""
    include_stop: bool = Field(default=True, repr=False)
    """Whether answers include the stop string that ended them (the custom LLM guide); calls may say otherwise."""

    @field_validator("cache", mode="before")
    @classmethod
    def _switch_or_cache(cls, value: Any) -> Any:
        # A text such as "no" would be read as a switch, and "redis" as a mistake of another kind.
        if value is None or isinstance(value, (bool, Cache)):
            return value
        raise ValueError(
            f"must be True, False, None or a cache (LRUCache(), SQLiteCache(path), a Cache of your own), "
            f"not of type {type(value).__name__}"
        )

    @field_validator("chat_template")
    @classmethod
    def _known_template(cls, value: str | None) -> str | None:
        check_chat_template(value)
        return value

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hook_set = getattr(cls, "__modelport_hook_set__", None)
        if hook_set is None:
            return
        base: type[AuthoredModel] = next(
            ancestor for ancestor in cls.__mro__ if "__modelport_hook_set__" in ancestor.__dict__
        )
        cls.__modelport_serialized__ = {
            "lc": 1,
            "type": "not_implemented",
            "id": [*cls.__module__.split("."), cls.__qualname__],
            "name": cls.__name__,
        }
        if cls is not base:
            check_fields(cls, base, FRAMEWORK_FIELDS)
            if base.__modelport_kind__ == "llm" and callable(getattr(cls, "_generate", None)):
                raise TypeError(
                    f"{cls.__name__}._generate is LangChain's hook for BaseLLM, which modelport does not call; write "
                    f"`_call(self, prompt, stop=None, run_manager=None, **kwargs)` for one prompt, or "
                    f"`_batch(self, prompts, …)` for many"
                )
        cls.__modelport_hooks__ = find_hooks(cls, base, hook_set)

    @classmethod
    @override
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not cls.__pydantic_complete__ and cls.__module__ not in sys.modules:
            # LiteLLM executes a config's files without making modules of them: what postponed annotations name is
            # found where the methods find it.
            methods = [value for value in vars(cls).values() if isinstance(value, FunctionType)]
            own = next((one.__globals__ for one in methods if one.__module__ == cls.__module__), None)
            if own is not None:
                cls.model_rebuild(raise_errors=False, _types_namespace=own)

    def __init__(self, /, **data: Any) -> None:
        cls = type(self)
        if not cls.__modelport_hooks__.present and not hasattr(cls, "_rerank") and not hasattr(cls, "_arerank"):
            raise no_hook(cls, cls.__modelport_hook_set__.forms)
        try:
            super().__init__(**data)
        except ValidationError as error:
            refused = construction_error(cls, cls.author_fields(), error)
        else:
            if self.max_batch_size is not None:
                warn_of_batches(cls)
            return
        # Raised outside of the handler: as its context, pydantic's error would carry the refused values along.
        raise refused

    @classmethod
    def author_fields(cls) -> list[str]:
        """Return the names of the fields that the author declared, in order."""
        return [name for name in cls.model_fields if name not in FRAMEWORK_FIELDS]

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        cls = type(self)
        if not name.startswith("_") and name not in cls.model_fields and not hasattr(cls, name):
            raise TypeError(
                f"{unknown_argument(cls, name, cls.author_fields())}; declare it, or keep private state in "
                f"`_{name}: … = PrivateAttr(…)`"
            )
        if name == "callbacks" and value is not None:
            listeners_for(value)
        if name == "max_batch_size" and value is not None:
            warn_of_batches(cls)
        super().__setattr__(name, value)

    # Models are equal only to themselves: two with equal fields may hold different clients and weights.
    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return object.__hash__(self)

    @override
    def __eq__(self, other: object) -> bool:
        return self is other

    @override
    def __repr_args__(self) -> Any:
        for name in self.author_fields():
            yield name, self.scrub(self.__dict__.get(name))

    @override
    def __str__(self) -> str:
        return self.scrub(f"{type(self).__name__}\nParams: {dict(self.identity())}")

    def get_name(self) -> str:
        """Return the name that events and callbacks carry."""
        return self.name or type(self).__name__

    def llm_type(self) -> str:
        """Return the author's `_llm_type`, the class's name without one."""
        if "_llm_type" not in self.__modelport_hooks__.defined:
            return type(self).__name__
        value: Any = getattr(self, "_llm_type")  # noqa: B009 - the author's, not declared here
        return str(value() if callable(value) else value)

    def identity(self) -> Mapping[str, Any]:
        """Return the author's `_identifying_params`, every declared public field without them."""
        if "_identifying_params" not in self.__modelport_hooks__.defined:
            return {name: self.__dict__.get(name) for name in self.author_fields()}
        value: Any = getattr(self, "_identifying_params")  # noqa: B009 - the author's, not declared here
        return cast("Mapping[str, Any]", value() if callable(value) else value)

    def get_model_name(self) -> str:
        """Return the name that results carry: `model_name` or `model` of the identity, else the run's name."""
        identity = self.identity()
        name = identity.get("model_name") or identity.get("model")
        return name if isinstance(name, str) else self.get_name()

    def scrub(self, value: Any) -> Any:
        """Return a text, or a dict or list of texts, in which this model's secrets are `***`."""
        return scrub(value, known_secrets(self))

    def load(self) -> None:
        """Run `_load` now, unless it has run; the first call does it otherwise."""
        load(cast("EngineModel", self))

    async def aload(self) -> None:
        """Run `_load` now, unless it has run, without blocking the loop."""
        await aload(cast("EngineModel", self))

    def unload(self) -> None:
        """Run `_unload`; the next call loads again."""
        unload(cast("EngineModel", self))

    async def aunload(self) -> None:
        """Run `_unload` without blocking the loop; the next call loads again."""
        await aunload(cast("EngineModel", self))

    def with_params(self, **fields: Any) -> Self:
        """Return a copy of this model with some fields changed; this model stays as it is.

        The copy shares the other fields' values and the private attributes (a client, loaded weights). It has slots and
        a queue of its own, and is loaded anew before its first call, unless only the framework's fields were changed.

        Raises:
            TypeError: A name is no field; the message names the nearest.
            ValueError: A value is wrong; the message names the field.
        """
        from modelport.models.params import copy_with

        return copy_with(self, fields, FRAMEWORK_FIELDS)


FRAMEWORK_FIELDS = frozenset(AuthoredModel.model_fields)
"""The fields that are not the author's; a class may redeclare one to change its default."""
