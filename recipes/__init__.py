"""Models that run and show what they do; README.rst lists them."""

from importlib.util import find_spec

_NEEDED = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "tqdm": "tqdm"}

_missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
if _missing:
    # One line even under `python -m`: runpy reports an ImportError without traceback.
    raise ImportError(
        f"the recipes need {' and '.join(_missing)}, which this Python lacks. Install "
        'with: pip install -e ".[recipes]"'
    )
