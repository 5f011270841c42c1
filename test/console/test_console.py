"""The console in a real Chromium: test_states.mjs against a mock of the API, test_node.mjs against the synodd that SYNODD
names. Which of them is the argument. Skipped, saying why, where Chromium, Node or playwright-core is not to be had."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sql"))
import servers  # noqa: E402

SKIPPED = 77
DEADLINE = 600  # seconds; a tenth is what it takes


def skip(reason):
    print("skipped: " + reason)
    tap = os.environ.get("CK_TAP_LOG_FILE_NAME")
    if tap:
        with open(tap, "a", encoding="utf-8") as file:
            file.write(f"ok 1 - console # skip {reason}\n")
    sys.exit(SKIPPED)


def modules(directory):
    """The directory with playwright-core in it, installed by npm from the lock file if that is not done yet."""
    directory = os.path.join(directory, "console-modules")
    os.makedirs(directory, exist_ok=True)
    lock, done = os.path.join(HERE, "package-lock.json"), os.path.join(directory, "node_modules", "done")
    with open(lock, encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(done):
        with open(done, encoding="utf-8") as file:
            if file.read() == wanted:
                return directory
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(HERE, name), directory)
    try:
        made = subprocess.run(["npm", "ci", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=60000"], cwd=directory,
                              capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        skip("npm did not answer in time, so playwright-core is not there")
    if made.returncode != 0:
        skip("npm ci could not fetch playwright-core: " + (made.stderr.strip().splitlines() or ["no reason given"])[-1])
    with open(done, "w", encoding="utf-8") as file:
        file.write(wanted)
    return directory


def main():
    for program in ("chromium", "node", "npm"):
        if not shutil.which(program):
            skip(f"needs {program}")
    which, build = sys.argv[1:3]
    environment = {**os.environ, "CONSOLE_MODULES": modules(build)}
    command = ["node", os.path.join(HERE, which + ".mjs")]
    if which == "test_states":
        sys.exit(subprocess.run(command, env=environment, timeout=DEADLINE, check=False).returncode)
    node = servers.Synod(os.environ["SYNODD"], "--cores", "2", "--memory", "512MB")
    try:
        environment["CONSOLE_URL"] = f"https://127.0.0.1:{node.https[1]}/console/"
        status = subprocess.run(command, env=environment, timeout=DEADLINE, check=False).returncode
        if status != 0 or not node.alive():
            print(node.said()[-4000:])
        sys.exit(status if node.alive() else 1)
    finally:
        node.stop()


if __name__ == "__main__":
    main()
