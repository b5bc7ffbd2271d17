"""How good the model is: what a judge sees in its videos, how they move, and how they last."""
