"""What moves in a scene: subjects as small signed-distance shapes, traced into the picture after the ground is there."""
