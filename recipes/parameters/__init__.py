"""What parameters that are expressions can do."""
