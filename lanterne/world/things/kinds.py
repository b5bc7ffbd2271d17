"""What is known of each kind of subject before its scene: how large it is seen, from where, and in which colours."""
from lanterne.world.things import shapes

KINDS = {
    "boat": shapes.BOAT, "car": shapes.CAR, "train": shapes.TRAIN, "balloon": shapes.BALLOON, "plane": shapes.PLANE,
    "lighthouse": shapes.LIGHTHOUSE, "windmill": shapes.WINDMILL, "campfire": shapes.CAMPFIRE, "waterfall": shapes.WATERFALL,
    "birds": shapes.BIRDS,
}
FLYING = (shapes.BALLOON, shapes.PLANE, shapes.BIRDS)

AWAY = {  # metres from the camera at which it fills a quarter to a third of the picture
    shapes.BOAT: 66.0, shapes.CAR: 24.0, shapes.TRAIN: 52.0, shapes.BALLOON: 88.0, shapes.PLANE: 84.0, shapes.LIGHTHOUSE: 96.0,
    shapes.WINDMILL: 88.0, shapes.CAMPFIRE: 11.5, shapes.WATERFALL: 92.0, shapes.BIRDS: 34.0,
}
EYE = {  # metres of the camera over the ground where it stands, least and most
    shapes.BOAT: (4.0, 9.0), shapes.CAR: (2.6, 4.5), shapes.TRAIN: (8.0, 14.0), shapes.LIGHTHOUSE: (5.0, 14.0),
    shapes.WINDMILL: (5.0, 14.0), shapes.CAMPFIRE: (1.7, 2.6), shapes.WATERFALL: (5.0, 16.0),
}
MIDDLE = {  # metres of its middle over its foot
    shapes.BOAT: 3.5, shapes.CAR: 0.0, shapes.TRAIN: -1.0, shapes.BALLOON: 12.0, shapes.PLANE: 0.0, shapes.LIGHTHOUSE: 12.0,
    shapes.WINDMILL: 12.0, shapes.CAMPFIRE: 1.0, shapes.WATERFALL: 14.0, shapes.BIRDS: 0.0,
}
SIZE = {shapes.CAR: 1.6, shapes.BIRDS: 1.5}  # metres of the world to one of the shape, where they differ: small ones are made to be seen
BOX = {  # low and high corner around its solid parts, in its own frame
    shapes.BOAT: (-5.6, -1.8, -1.2, 5.6, 1.8, 13.6),
    shapes.CAR: (-2.5, -1.1, 0.0, 2.5, 1.1, 1.7),
    shapes.TRAIN: (-140.0, -2.9, -14.0, 140.0, 2.9, 4.4),
    shapes.BALLOON: (-8.4, -8.4, 0.0, 8.4, 8.4, 21.4),
    shapes.PLANE: (-17.5, -17.2, -3.0, 15.5, 17.2, 7.4),
    shapes.LIGHTHOUSE: (-4.8, -9.4, -4.0, 4.8, 3.2, 26.6),
    shapes.WINDMILL: (-4.4, -11.0, -4.0, 4.4, 11.0, 26.0),
    shapes.CAMPFIRE: (-2.3, -3.9, -0.2, 2.0, 2.5, 1.75),
    shapes.WATERFALL: (-14.0, -42.0, -5.0, 13.0, 42.0, 36.0),
}
PAINTS = {  # its body's colour and its second one, linear RGB
    shapes.BOAT: (
        ((0.75, 0.74, 0.70), (0.62, 0.07, 0.05)), ((0.03, 0.06, 0.16), (0.78, 0.74, 0.64)),
        ((0.45, 0.05, 0.04), (0.80, 0.78, 0.72)), ((0.05, 0.20, 0.20), (0.70, 0.30, 0.06)),
    ),
    shapes.CAR: (
        ((0.60, 0.03, 0.025), (0.5, 0.5, 0.5)), ((0.03, 0.12, 0.42), (0.5, 0.5, 0.5)),
        ((0.72, 0.72, 0.70), (0.4, 0.4, 0.4)), ((0.75, 0.48, 0.03), (0.4, 0.4, 0.4)),
    ),
    shapes.TRAIN: (
        ((0.58, 0.04, 0.035), (0.78, 0.74, 0.62)), ((0.04, 0.16, 0.36), (0.76, 0.76, 0.74)), ((0.05, 0.24, 0.10), (0.80, 0.68, 0.34)),
    ),
    shapes.BALLOON: (
        ((0.72, 0.04, 0.03), (0.85, 0.66, 0.06)), ((0.06, 0.20, 0.62), (0.84, 0.82, 0.76)),
        ((0.82, 0.34, 0.03), (0.44, 0.04, 0.30)), ((0.10, 0.42, 0.14), (0.86, 0.80, 0.20)),
    ),
    shapes.PLANE: (
        ((0.80, 0.81, 0.83), (0.05, 0.14, 0.46)), ((0.80, 0.81, 0.83), (0.60, 0.05, 0.04)), ((0.80, 0.81, 0.83), (0.05, 0.36, 0.26)),
    ),
    shapes.LIGHTHOUSE: (
        ((0.80, 0.78, 0.74), (0.58, 0.05, 0.04)), ((0.82, 0.80, 0.76), (0.05, 0.09, 0.20)), ((0.80, 0.78, 0.73), (0.05, 0.05, 0.05)),
    ),
    shapes.WINDMILL: (
        ((0.74, 0.71, 0.64), (0.30, 0.13, 0.07)), ((0.36, 0.20, 0.13), (0.10, 0.09, 0.08)), ((0.62, 0.55, 0.42), (0.12, 0.20, 0.14)),
    ),
    shapes.CAMPFIRE: (
        ((0.16, 0.15, 0.14), (0.62, 0.24, 0.05)), ((0.16, 0.15, 0.14), (0.10, 0.26, 0.32)), ((0.16, 0.15, 0.14), (0.52, 0.48, 0.36)),
    ),
    shapes.BIRDS: (((0.03, 0.03, 0.035), (0.03, 0.03, 0.035)),),
}
WHITE_BIRDS = ((0.80, 0.80, 0.78), (0.80, 0.80, 0.78))
CLIFFS = {  # a waterfall's rock, by family
    "mountains": (0.15, 0.135, 0.125), "forest": (0.14, 0.125, 0.10), "canyon": (0.36, 0.17, 0.085), "volcano": (0.055, 0.048, 0.045),
}
TURF, SNOWY_TURF = (0.10, 0.14, 0.05), (0.78, 0.81, 0.86)
