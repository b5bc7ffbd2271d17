"""The procedural world the embedded model learns from: a scene, its frames, its captions, its ground truth."""
