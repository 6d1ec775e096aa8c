"""What runs on Node.js."""

import json
import pathlib
import shutil
import subprocess
import tempfile

INTEGRATION = pathlib.Path(__file__).resolve().parents[1]


class NodePackages:
    """The packages that a folder names, from npm, in a temporary directory, beside what runs
    there."""

    def __init__(self, folder="node"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-node-"))
        shutil.copytree(INTEGRATION / folder, self.directory, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("node_modules"))
        try:
            done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=self.directory,
                                  capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
        except BaseException:
            self.remove()
            raise

    def run(self, script, what, timeout=120):
        """The JSON that it prints."""
        done = subprocess.run(["node", script], cwd=self.directory, input=json.dumps(what),
                              capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
