"""Metadata of the package; everything about tools is in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def read_version():
    """Read the version from the source, without importing the package."""
    source = (HERE / "lasagne_next" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE).group(1)


EXTRAS = {
    "recipes": ["matplotlib", "safetensors", "scikit-learn", "threadpoolctl", "tqdm"],
    "jax": ["jax"],
    "cuda": ["jax[cuda12]"],
    "docs": ["furo", "matplotlib", "numpydoc", "sphinx", "sphinx-copybutton"],
}
EXTRAS["test"] = ["hypothesis", "pytest", "ruff", *EXTRAS["recipes"], *EXTRAS["jax"]]
EXTRAS["all"] = sorted(
    {name for extra, names in EXTRAS.items() if extra != "cuda" for name in names}
)

setup(
    name="lasagne_next",
    version=read_version(),
    description="Neural networks on PyTensor whose parameters may be any expression",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="lasagne_next contributors",
    license="MIT",
    license_files=["LICENSE"],
    keywords="neural networks, deep learning, symbolic, PyTensor, Lasagne, Numba, JAX",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    packages=find_packages(
        include=["lasagne_next", "lasagne_next.*", "recipes", "recipes.*"]
    ),
    python_requires=">=3.11",
    install_requires=["pytensor>=3.0.7,<4", "numpy>=2", "scipy"],
    extras_require=EXTRAS,
)
