"""Lanterne: a text becomes a video."""

__version__ = "0.3.0"
FPS = 16  # of every video
