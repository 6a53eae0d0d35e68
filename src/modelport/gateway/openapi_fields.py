"""What the fields of requests mean, one sentence each: for the OpenAPI document and the page that shows it."""

from __future__ import annotations

_TEXTS = {
    "background": "Whether the images' background is transparent.",
    "best_of": "Has to be `n`: answers are not ranked here.",
    "dimensions": "How many numbers each vector has.",
    "documents": "What is ranked: texts, or objects with a `text`.",
    "echo": "Whether each answer begins with its prompt.",
    "encoding_format": "How vectors are written: as numbers, or as the base64 of little-endian float32 bytes.",
    "frequency_penalty": "Makes tokens less likely the more often they have come.",
    "input_fidelity": "How closely an edit keeps to its images, in the model's words.",
    "input": "The texts, or the token ids of texts, that become one vector each.",
    "logit_bias": "What is added to the logits of tokens, by token id.",
    "logprobs": "Whether each token comes with its log probability.",
    "max_completion_tokens": "The longest answer, in tokens; wins over the older `max_tokens`.",
    "max_tokens": "The longest answer, in tokens.",
    "max_chunks_per_doc": "Into how many pieces a long document may be cut.",
    "max_tokens_per_doc": "How many tokens of a long document count.",
    "messages": "The conversation so far.",
    "metadata": "Notes of the caller's own.",
    "modalities": "What the answer may be made of.",
    "model": "Which model: an id that `GET /models` lists.",
    "moderation": "How strictly the images are moderated, in the model's words.",
    "n": "How many answers.",
    "output_compression": "How much the images are compressed, in percent.",
    "output_format": "The images' file format.",
    "parallel_tool_calls": "Whether one answer may call several tools.",
    "partial_images": "Has no effect: images are not streamed.",
    "presence_penalty": "Makes tokens less likely that have come before.",
    "prompt": "The text to go on from, or its token ids; a list has answers for each.",
    "quality": "How well the images are made, in the model's words.",
    "query": "What the documents are ranked by.",
    "rank_fields": "The fields of a document that count.",
    "reasoning_effort": "How long a model that reasons may do so, in the model's words.",
    "response_format": "What the answer has to be: text, any JSON, or JSON of a schema.",
    "return_documents": "Whether the ranking carries the documents.",
    "seed": "Makes answers repeatable, as far as the model can.",
    "size": "Width and height in pixels, `1024x1024`, or `auto`.",
    "stop": "Up to 4 texts at which the answer ends; it does not contain them.",
    "store": "Whether the answer may be kept; nothing is kept here.",
    "stream": "Whether the answer comes piece by piece, as server-sent events.",
    "stream_options": "Whether the last piece of a stream carries the usage.",
    "style": "The images' style, in the model's words.",
    "suffix": "What comes after the answer.",
    "temperature": "How much chance there is in the answer.",
    "tool_choice": "Whether tools may be called, or which one must be.",
    "tools": "The functions that the model may call.",
    "top_logprobs": "How many alternatives each token comes with.",
    "top_n": "How many of the best documents are wanted; all without it.",
    "top_p": "Leaves only the most likely tokens, up to this share of all chances.",
    "user": "A name for the end user.",
}
_TEXTS_OF_REQUEST = {
    ("CompletionRequest", "logprobs"): "How many alternatives each token comes with; none without it.",
    ("ImageRequest", "prompt"): "What the images show, or what is changed in them.",
    ("ImageRequest", "n"): "How many images.",
    ("ImageRequest", "response_format"): "Whether images come as addresses or as base64; as the model gives them "
    "without it.",
    ("ImageRequest", "stream"): "Has to be false: images are not streamed.",
}


def text_of_field(request: str, field: str) -> str:
    """Return the sentence about a field of a request.

    Args:
        request: The request's name in the OpenAPI document.
        field: The field's name.

    Raises:
        KeyError: There is none.
    """
    return _TEXTS_OF_REQUEST.get((request, field)) or _TEXTS[field]
