"""Print the requirements of the package with the given extras, one per line: `requirements.py cpu,test`."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
groups = [project["dependencies"]] + [project["optional-dependencies"][extra] for extra in sys.argv[1].split(",")]
print(*sorted({requirement for group in groups for requirement in group}), sep="\n")
