"""Without langchain-core the package says which extra brings it; and nobody else imports it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HIDDEN = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "langchain_core":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


@pytest.mark.parametrize("name", ["to_langchain", "to_langchain_embeddings"])
def test_a_missing_langchain_names_the_extra(name: str) -> None:
    code = f"{HIDDEN}\nfrom modelport.integrations.langchain import {name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in done.stderr
    assert "pip install 'modelport[langchain]'" in done.stderr


def test_importing_the_package_loads_nothing_of_langchain() -> None:
    code = (
        "import sys, modelport, modelport.integrations.langchain as face\n"
        "assert 'to_langchain' in dir(face)\n"
        "assert not any(name.startswith('langchain') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import modelport.integrations.langchain as face

    with pytest.raises(AttributeError, match="to_langchian"):
        _ = face.to_langchian  # pyright: ignore[reportAttributeAccessIssue]
