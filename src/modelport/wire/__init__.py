"""OpenAI's formats as types and pure functions: bytes to values and values to bytes, no input or output."""
