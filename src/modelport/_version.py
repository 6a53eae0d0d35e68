"""The version, in one place: the build and `modelport.__version__` read it here."""

__version__ = "0.1.0"
