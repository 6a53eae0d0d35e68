"""The conformance kit: checks of the guarantees for any model, models to test with, and a callback recorder.

from modelport.testing import run_checks

for result in run_checks(MyModel):
    print(result.id, result.outcome, result.seen, result.mend)

`run_checks(MyModel, raw=True)` shows what the author's own code keeps, without the framework around it, and
`modelport.testing.pytest.ModelConformance` makes one test of each check.

`MyModel` is an LLM, a ChatModel, an EmbeddingModel, an ImageModel or a handler. The same of a chain, whose other steps
hand on what they get:
`run_checks(MyModel, through=lambda model, kwargs: RunnablePassthrough() | model.bind(**kwargs))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelport.testing.checks import Check as Check
from modelport.testing.kit import CheckResult as CheckResult
from modelport.testing.kit import all_checks as all_checks
from modelport.testing.kit import arun_checks as arun_checks
from modelport.testing.kit import checks_for as checks_for
from modelport.testing.kit import run_checks as run_checks
from modelport.testing.models import EchoChatModel as EchoChatModel
from modelport.testing.models import EchoLLM as EchoLLM
from modelport.testing.models import FailingLLM as FailingLLM
from modelport.testing.models import ScriptedChatModel as ScriptedChatModel
from modelport.testing.models import ScriptedLLM as ScriptedLLM
from modelport.testing.models import SlowLLM as SlowLLM
from modelport.testing.recorder import RecordingHandler as RecordingHandler
from modelport.testing.value_models import EchoEmbeddingModel as EchoEmbeddingModel
from modelport.testing.value_models import EchoHandler as EchoHandler
from modelport.testing.value_models import EchoImageModel as EchoImageModel

if TYPE_CHECKING:
    from modelport.gateway.in_process import InProcessTransport as InProcessTransport


def __getattr__(name: str) -> Any:
    # The kit itself needs no gateway, and so not its extra.
    if name != "InProcessTransport":
        raise AttributeError(f"module 'modelport.testing' has no attribute {name!r}")
    from modelport.gateway.in_process import InProcessTransport

    return InProcessTransport


def __dir__() -> list[str]:
    return [*globals(), "InProcessTransport"]
