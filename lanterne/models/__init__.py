"""The networks: text encoder, transformer, autoencoder, and the one file that holds their weights."""
