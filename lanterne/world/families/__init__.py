"""One file a family of scenes: `build(scene, rng) -> Surface` lays out its ground, its water, its colours and where the shot starts."""
