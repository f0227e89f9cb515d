"""Score matching and diffusion, measured against exact scores."""
