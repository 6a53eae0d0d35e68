"""Other frameworks' faces: `litellm` is a drop-in for what custom handlers import of LiteLLM."""
