"""Crossdock: a self-hosted logistics integration hub."""

__version__ = "0.1.0"
