"""What npm packages bench/ has: each in a folder of its own, installed into its node_modules (git ignores them) on first use."""

import os
import shutil
import subprocess

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def folder(name):
    return os.path.join(HERE, name)


def install(name, package):
    """Whether the package of bench/NAME is there, or could be installed."""
    if os.path.isdir(os.path.join(folder(name), "node_modules", package)):
        return True
    if not shutil.which("npm"):
        subprocess.run([os.path.join(HERE, "..", "tool", "install"), "npm"], check=False)
    if not shutil.which("npm"):
        return False
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder(name), check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    return done.returncode == 0
