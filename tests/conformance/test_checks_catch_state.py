"""The checks of secrets, threads and identity fail when their guarantee is cut out."""

from __future__ import annotations

import contextvars
import copy
import itertools
import os

import pytest
from pydantic import SecretStr

from modelport import LLM
from modelport.engine import read_ahead
from modelport.engine.attempt import Attempt
from modelport.engine.hooks import Hook
from modelport.models import base
from modelport.models import secrets as model_secrets
from modelport.models.base import AuthoredModel
from modelport.runs import listeners
from modelport.testing import EchoLLM

cuts = pytest.mark.cuts
_numbers = itertools.count()
chatting = {"hooks": "_astream", "chat": True}


class Keyed(LLM):
    """Has a key, and gives it away."""

    api_key: SecretStr = SecretStr("sk-secret")
    """The key."""
    url: str = "http://sk-secret@host"
    """Where it is sent; holds the key too."""

    @property
    def _identifying_params(self):
        return {"key": self.api_key.get_secret_value()}

    def _call(self, prompt):
        return prompt


# --- secrets --------------------------------------------------------------------------------------


@cuts("secrets:print:*", "secrets:*:events", make=Keyed)
def test_nothing_is_scrubbed(patch, caught):
    patch.everywhere(model_secrets.scrub, lambda value, secrets: value)
    caught()


@cuts("secrets:errors:construction", make=Keyed)
def test_pydantics_own_error_leaves(patch, caught):
    patch.everywhere(base.construction_error, lambda cls, fields, error: error)
    caught()


@cuts("secrets:*:hook-error", make=Keyed)
def test_wrong_results_are_shown(patch, caught):
    from modelport.engine import reading

    patch.everywhere(reading.shown, repr)
    caught()


@cuts("secrets:log:lines", make=Keyed)
def test_exceptions_are_logged_whole(patch, caught):
    def report(self, name, error, *rest):
        listeners.logger.warning("callback %s failed: %s", name, error)

    patch.method(listeners.CallbackListener, "_report", report)
    caught()


@cuts("secrets:copy:deepcopy", make=Keyed)
def test_copies_lose_their_secrets(patch, caught):
    patch.monkeypatch.setattr(AuthoredModel, "__deepcopy__", lambda self, memo: type(self)(api_key=SecretStr("")))
    caught()


# --- threads, identity ----------------------------------------------------------------------------


@cuts("threads:*:sixty-four*", hooks="_call", chat=True)
@cuts("threads:*:sixty-four*", hooks="_stream", chat=True)
def test_calls_share_their_argument(patch, caught):
    def invoke_hook(self, invoke=Attempt.invoke_hook):
        patch.kept.append(self.argument)
        self.argument = patch.kept[0]
        return invoke(self)

    patch.method(Attempt, "invoke_hook", invoke_hook)
    caught()


@cuts("threads:astream:gives-turns", hooks="_astream")
@cuts("threads:astream:gives-turns", **chatting)
def test_a_ready_hook_keeps_the_loop(patch, caught):
    patch.number("TURN_EVERY", 1_000_000)
    caught()


@cuts("threads:*:no-global-state", hooks="_call")
@cuts("threads:*:no-global-state", **chatting)
def test_a_call_leaves_a_trace(patch, caught):
    bind = Hook.bind

    def leave_a_trace(self, *arguments):
        os.environ["MODELPORT_LAST_HOOK"] = f"{self.name} {next(_numbers)}"
        return bind(self, *arguments)

    patch.monkeypatch.setenv("MODELPORT_LAST_HOOK", "")
    patch.method(Hook, "bind", leave_a_trace)
    caught()


@cuts("threads:stream:own-context")
@cuts("threads:astream:own-context", **chatting)
def test_hooks_share_their_callers_context(patch, caught):
    patch.method(Attempt, "_own_context", lambda self: None)
    caught()


@cuts("threads:astream:own-context", hooks="_stream")
def test_steps_in_a_worker_have_no_context(patch, caught):
    pull = read_ahead.ReadAhead._produce

    def in_fresh_contexts(self):
        make = self._make

        def pieces():
            iterator = iter(make())
            while (piece := contextvars.Context().run(next, iterator, patch)) is not patch:
                yield piece

        self._make = pieces
        pull(self)

    patch.method(read_ahead.ReadAhead, "_produce", in_fresh_contexts)
    caught()


@cuts("identity:equal:itself-only")
def test_models_are_equal_by_value(patch, caught):
    patch.method(AuthoredModel, "__eq__", lambda self, other: self.__dict__ == other.__dict__)
    caught()


@cuts("identity:print:*")
def test_everything_is_printed(patch, caught):
    patch.method(AuthoredModel, "__str__", lambda self: str(self.__dict__))
    patch.method(AuthoredModel, "__repr_args__", lambda self: list(self.__dict__.items()))
    caught()


@cuts("identity:copy:deepcopy", make=EchoLLM)
def test_the_state_is_copied_along(patch, caught):
    def with_state(self, memo):
        twin = copy.copy(self)
        object.__setattr__(twin, "_modelport_state", copy.deepcopy(getattr(self, "_modelport_state", None), memo))
        return twin

    patch.monkeypatch.setattr(AuthoredModel, "__deepcopy__", with_state)
    caught()


@cuts("identity:copy:pickle", make=EchoLLM)
def test_the_state_is_pickled_along(patch, caught):
    getstate = AuthoredModel.__getstate__

    def with_state(self):
        return {**getstate(self), "state": getattr(self, "_modelport_state", None)}

    patch.monkeypatch.setattr(AuthoredModel, "__getstate__", with_state)
    caught()


@cuts("identity:set:unknown-attribute")
def test_any_attribute_can_be_set(patch, caught):
    patch.method(AuthoredModel, "__setattr__", object.__setattr__)
    caught()
