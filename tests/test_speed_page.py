"""The program of the page on speed runs as it is printed there."""

import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "user" / "speed.rst"

# Said after the program: the work was divided, and the losses are those of one device.
CHECK = """
again = pytensor.function([inputs, targets], loss, mode="FAST_COMPILE")
print(len(x.sharding.device_set), float(again(np.asarray(x), np.asarray(y))))
print(float(train(x, y)))
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)
def test_a_batch_is_divided_among_devices():
    """Catches an example that no longer runs, and gradients of one part alone."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", text)
    (program,) = (each for each in blocks if "PartitionSpec" in each)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program) + CHECK],
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    *losses, devices, again, last = map(float, done.stdout.split())
    assert devices == 2
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert again == pytest.approx(last, rel=1e-5)
