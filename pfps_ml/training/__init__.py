"""How models are fitted, compared and updated: frames in, additive models out."""
