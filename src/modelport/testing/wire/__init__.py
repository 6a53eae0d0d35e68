"""The wire half of the conformance kit: checks that run over HTTP against any OpenAI-compatible server.

from modelport.testing.wire import run_wire_checks

for result in run_wire_checks("http://127.0.0.1:4000/v1", key="sk-…", model="my-model"):
    print(result.id, result.outcome, result.seen)
"""

from __future__ import annotations

from modelport.testing.wire.kit import all_wire_checks as all_wire_checks
from modelport.testing.wire.kit import arun_wire_checks as arun_wire_checks
from modelport.testing.wire.kit import run_wire_checks as run_wire_checks
