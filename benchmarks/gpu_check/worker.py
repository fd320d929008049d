"""The process of one section: `python -P -m ainet.benchmarks.gpu_check.worker MODULE:FUNCTION RESULT CONTEXT`.

RESULT: JSON file that is kept up to date. CONTEXT: JSON with the fields of `Context`, but `seconds` in place of `end`.
"""

import importlib
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from ainet.benchmarks.gpu_check.section import Context, OutOfTimeError, SkippedError
from ainet.files import write_json


def main() -> None:
    target, path, fields = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    bsds = fields["bsds"]
    end = time.monotonic() + fields["seconds"]
    context = Context(Path(fields["source"]), Path(fields["work"]), None if bsds is None else Path(bsds), end)
    record: dict[str, Any] = {"status": "running", "error": None, "result": {}}
    module, _, function = target.partition(":")
    try:
        for record["result"] in getattr(importlib.import_module(module), function)(context):
            write_json(path, record)
        record["status"] = "failed" if record["result"].get("failures") else "passed"
    except SkippedError as reason:
        record |= {"status": "skipped", "error": str(reason)}
    except OutOfTimeError:
        record |= {"status": "out of time", "error": "the section's time was up before all was done"}
    except Exception as error:
        traceback.print_exc()
        record |= {"status": "failed", "error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"}
    write_json(path, record)


if __name__ == "__main__":
    main()
