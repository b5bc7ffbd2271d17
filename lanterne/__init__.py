"""Lanterne: a text becomes a video."""

__version__ = "0.3.0"
