"""Finds models: by import path or file when they are configured, by name when they are asked for."""
