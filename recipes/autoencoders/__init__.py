"""What autoencoders learn, and what is known exactly of it."""
