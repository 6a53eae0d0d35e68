"""Settings of the `http` provider for some servers; each gives what `HTTPModel` or `HTTPChatModel` is made with.

    HTTPModel(**torch_serve("my-model"))
    HTTPChatModel(**ollama("llama3.2"), max_retries=2)

They are plain dicts: in a `config.yaml` the same keys stand below `params`.
"""

from __future__ import annotations

from typing import Any

_OLLAMA_OPTIONS = {
    "num_predict": "{{ max_tokens }}",
    "stop": "{{ stop }}",
    "temperature": "{{ temperature }}",
    "top_p": "{{ top_p }}",
    "top_k": "{{ top_k }}",
    "seed": "{{ seed }}",
}
_OLLAMA_FORMAT = (
    "{{ none if response_format is not defined else response_format.json_schema.schema"
    " if response_format.type == 'json_schema' else 'json' if response_format.type == 'json_object' else none }}"
)
"""What Ollama calls OpenAI's `response_format`."""
_GENERATE_PARAMETERS = {
    "max_new_tokens": "{{ max_tokens }}",
    "stop": "{{ stop }}",
    "temperature": "{{ temperature }}",
    "top_p": "{{ top_p }}",
    "top_k": "{{ top_k }}",
    "seed": "{{ seed }}",
    "repetition_penalty": "{{ repetition_penalty }}",
    "do_sample": "{{ do_sample }}",
    "details": True,
}


def torch_serve(name: str, base_url: str = "http://localhost:8080") -> dict[str, Any]:
    """Return the settings for a text handler under torch-serve.

    The handler gets `{"prompt", "max_tokens", "stop", "temperature", "stream"}`, what is not given left out, and
    answers `{"text"}` with, if it counts, `{"finish_reason", "prompt_tokens", "completion_tokens"}`. With `stream` true
    it sends lines of JSON by `send_intermediate_predict_response`, `{"text"}` each, and returns `{"done": true}` with
    the same counts. `examples/torchserve/text_handler.py` is one.

    Args:
        name: The model's name in torch-serve.
        base_url: The address of its inference API.
    """
    return {
        "model": name,
        "url": f"{base_url.rstrip('/')}/predictions/{name}",
        "body": {
            "prompt": "{{ prompt }}",
            "max_tokens": "{{ max_tokens }}",
            "stop": "{{ stop }}",
            "temperature": "{{ temperature }}",
            "stream": "{{ stream }}",
        },
        "text_path": "text",
        "finish_reason_path": "finish_reason",
        "prompt_tokens_path": "prompt_tokens",
        "completion_tokens_path": "completion_tokens",
        "error_path": "error || (code && message)",
        "streaming": {"format": "ndjson", "done_path": "done"},
    }


def text_generation_inference(base_url: str = "http://localhost:8080") -> dict[str, Any]:
    """Return the settings for Hugging Face's text-generation-inference, by its own `/generate`.

    Args:
        base_url: The server's address.
    """
    base = base_url.rstrip("/")
    return {
        "url": f"{base}/generate",
        "body": {"inputs": "{{ prompt }}", "parameters": _GENERATE_PARAMETERS},
        "text_path": "generated_text",
        "finish_reason_path": "details.finish_reason",
        "finish_reasons": {"eos_token": "stop", "stop_sequence": "stop"},
        "completion_tokens_path": "details.generated_tokens",
        "error_path": "error",
        "streaming": {
            "format": "sse",
            "url": f"{base}/generate_stream",
            # The end token is an event too, and is no text.
            "text_path": "[token][?!special].text | [0]",
            "prompt_tokens_path": "details.input_length",
            "done_path": "details.finish_reason",
        },
    }


def ollama(model: str, base_url: str = "http://localhost:11434") -> dict[str, Any]:
    """Return the settings for Ollama's own `/api/chat`, with tools; for `HTTPChatModel`.

    Args:
        model: The model's name in Ollama.
        base_url: The server's address.
    """
    return {
        "model": model,
        "url": f"{base_url.rstrip('/')}/api/chat",
        "body": {
            "model": "{{ model }}",
            "messages": "{{ messages | with_object_arguments }}",
            "stream": "{{ stream }}",
            "tools": "{{ tools }}",
            "format": _OLLAMA_FORMAT,
            "options": _OLLAMA_OPTIONS,
        },
        "text_path": "message.content",
        "tool_calls_path": "message.tool_calls",
        "finish_reason_path": "done_reason",
        "prompt_tokens_path": "prompt_eval_count",
        "completion_tokens_path": "eval_count",
        "error_path": "error",
        "streaming": {"format": "ndjson", "done_path": "done"},
    }
