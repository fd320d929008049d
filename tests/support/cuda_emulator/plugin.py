"""A pytest plugin: `pytest -p support.cuda_emulator.plugin` runs on the emulated GPU; the environment says where its library is."""

import os
from pathlib import Path

from support.cuda_emulator import VARIABLE, load

EMULATOR = load(Path(os.environ[VARIABLE]))
