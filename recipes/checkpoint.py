"""What a long training needs to be continued after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lasagne_next import io
from recipes.command import RecipeError

__all__ = ["Checkpoint"]


class Checkpoint:
    """A file with the values of variables, the step and the state of a generator.

    Parameters
    ----------
    path : path-like
        The file. It appears all at once, and is removed when the training is complete.
    variables : list of shared variables
        All that the training changes.
    rng : numpy.random.Generator
        Draws batches and noise.
    resume : bool, default False
        Whether to continue from the file, if it is there.

    Examples
    --------
    >>> import pytensor, tempfile
    >>> w, path = pytensor.shared(1.0), Path(tempfile.mkdtemp(), "state.npz")
    >>> Checkpoint(path, [w], np.random.default_rng(1)).save(7)
    >>> w.set_value(5.0)
    >>> Checkpoint(path, [w], np.random.default_rng(2), resume=True).start()
    7
    >>> w.get_value()
    array(1.)
    """

    def __init__(self, path, variables, rng, resume=False):
        self.path, self.variables = Path(path), list(variables)
        self.rng, self.resume = rng, resume

    def save(self, step):
        """Write everything down, after this number of steps."""
        values = {f"value{i}": v.get_value() for i, v in enumerate(self.variables)}
        state = json.dumps(self.rng.bit_generator.state)
        with io.replacing(self.path) as temporary, open(temporary, "wb") as file:
            np.savez(file, step=step, state=state, **values)

    def start(self):
        """Return the step to begin with, after loading what was saved for it.

        Raises
        ------
        RecipeError
            If the file is of a training with other settings, or of none.
        """
        if not self.resume or not self.path.exists():
            return 0
        try:
            with np.load(self.path, allow_pickle=False) as file:
                values = [file[f"value{i}"] for i in range(len(self.variables))]
                step, state = int(file["step"]), json.loads(str(file["state"]))
                fits = len(file.files) == len(self.variables) + 2
        except (ValueError, KeyError, OSError) as error:
            raise self._refusal() from error
        pairs = list(zip(self.variables, values, strict=True))
        if not fits or any(v.get_value().shape != each.shape for v, each in pairs):
            raise self._refusal()
        for variable, value in pairs:
            variable.set_value(value.astype(variable.dtype))
        self.rng.bit_generator.state = state
        return step

    def _refusal(self):
        return RecipeError(
            f"--resume: '{self.path}' must be the checkpoint of a run with the same "
            "settings. Leave out --resume, or delete it."
        )

    def remove(self):
        """Delete the file, when nothing is left to continue."""
        self.path.unlink(missing_ok=True)
