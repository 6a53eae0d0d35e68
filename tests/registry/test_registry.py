"""Models by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelport import LLM
from modelport.registry.registry import Registry, make_model
from modelport.values.errors import LoadError, ModelNotFoundError


class Echo(LLM):
    n: int = 5

    def _call(self, prompt: str) -> str:
        return prompt[: self.n]


class Broken(LLM):
    path: str = ""

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        open(self.path).close()

    def _call(self, prompt: str) -> str:
        return prompt


instance = Echo(n=2)
not_a_model = {"a": 1}
HERE = Path(__file__)


def use(name: str) -> str:
    return f"{HERE}:{name}"


def test_a_model_is_found_by_its_name() -> None:
    model = Echo()
    registry = Registry({"echo": model, "team/echo": model})
    assert registry.get("echo") is registry.get("team/echo") is model
    assert registry.names() == ["echo", "team/echo"]
    assert list(registry) == [model]


def test_an_unknown_name_says_which_is_near() -> None:
    with pytest.raises(ModelNotFoundError, match="'ecko' does not exist; did you mean 'echo'") as caught:
        Registry({"echo": Echo()}).get("ecko")
    error = caught.value
    assert (error.status_code, error.code, error.param) == (404, "model_not_found", "model")


def test_a_class_is_called_with_its_params() -> None:
    model = make_model(use("Echo"), {"n": 3})
    assert model.invoke("hello") == "hel"


def test_an_instance_is_taken_as_it_is() -> None:
    assert make_model(use("instance"), {}).invoke("hello") == "he"


def test_params_for_an_instance_are_refused() -> None:
    with pytest.raises(LoadError, match=r"is an instance and takes no params \(n\)"):
        make_model(use("instance"), {"n": 3})


@pytest.mark.parametrize(("name", "what"), [("not_a_model", "a dict"), ("Path", "the class Path")])
def test_something_else_is_refused(name: str, what: str) -> None:
    with pytest.raises(LoadError, match=f"is {what}, not a model"):
        make_model(use(name), {})


@pytest.mark.parametrize(
    ("params", "message"),
    [({"m": 1}, "Echo has no field 'm'"), ({"n": "many"}, "field 'n': input should be a valid integer")],
)
def test_wrong_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        make_model(use("Echo"), params)


def test_an_error_of_the_authors_constructor_is_shown_with_its_line() -> None:
    with pytest.raises(
        LoadError, match=r"cannot be made: FileNotFoundError: .*\(test_registry.py, line 27\)"
    ) as caught:
        make_model(use("Broken"), {"path": "/there/is/nothing"})
    assert isinstance(caught.value.__cause__, FileNotFoundError)
