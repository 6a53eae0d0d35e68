"""Vectors of texts: what an embedding hook may return, and what `embed` gives back."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from modelport.values.usage import Usage


class Embedding(msgspec.Struct, frozen=True):
    """Is the vector of one text, with the tokens that the text took."""

    vector: list[float]
    """The numbers, all finite; a hook may also give a tuple, or anything with `tolist()` (numpy, torch)."""
    usage: Usage | None = None
    """The tokens of the text; counted or estimated when its hook does not say."""

    @override
    def __repr__(self) -> str:
        return f"Embedding(<{len(self.vector)} numbers>, usage={self.usage!r})"


class EmbeddingResult(msgspec.Struct, frozen=True):
    """Is what `EmbeddingModel.embed` returns: the vectors of many texts."""

    embeddings: list[list[float]]
    """One vector per text, in order, all of one length."""
    usage: Usage
    """The tokens of all texts; `completion_tokens` is 0."""
    model_name: str
    """The model's name."""

    @override
    def __repr__(self) -> str:
        return (
            f"EmbeddingResult(<{len(self.embeddings)} vectors>, usage={self.usage!r}, model_name={self.model_name!r})"
        )
