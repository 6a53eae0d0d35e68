"""Composition: prompts, sequences, functions and parsers around a model."""
