"""How the shipped weights were made: rendered clips, the autoencoder, cached latents, the transformer."""
