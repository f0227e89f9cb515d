"""Real images, and distributions of which everything is known."""

from recipes.data.images import DATASETS, Images, digits, load, mnist

__all__ = ["DATASETS", "Images", "digits", "load", "mnist"]
