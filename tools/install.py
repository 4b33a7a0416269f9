"""Make `.venv` and install the pinned requirements into it: `python3 tools/install.py [--dev]`.

Run by every `make` target. Quick when nothing changed (a stamp holds the digest of what is installed).
Uses uv for speed and falls back to pip. Every failure ends in one clear line. Written so that an old
Python can still read it and say that it is too old.
"""

import hashlib
import os
import platform
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "installed")
OLDEST = (3, 11)


def main(arguments):
    if sys.version_info < OLDEST:
        stop(
            "Python %s is too old: Tradebook needs %d.%d or newer. Point to one with: make PYTHON=python3.12 ..."
            % (platform.python_version(), OLDEST[0], OLDEST[1])
        )
    dev = "--dev" in arguments
    name = "requirements-dev.txt" if dev else "requirements.txt"
    wanted = digest(name)
    if installed() in (wanted, digest("requirements-dev.txt")) and os.path.exists(PYTHON):
        return
    say("Making .venv and installing %s (about a minute the first time) ..." % name)
    make_venv()
    install(name)
    with open(STAMP, "w") as stamp:
        stamp.write(wanted)


def make_venv():
    if os.path.exists(PYTHON):
        return
    result = run([sys.executable, "-m", "venv", VENV])
    if result.returncode:
        output = result.stdout + result.stderr
        if "ensurepip" in output:
            stop("This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install python3-venv")
        stop("Making .venv failed: " + last_line(output))


def install(name):
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "-q"]
    path = os.path.join(ROOT, name)
    if run(pip + ["install", "uv"]).returncode == 0:
        # Compiled at once: otherwise the first start of each program waits for it, and where PYTHONDONTWRITEBYTECODE is
        # set, every start.
        uv = [os.path.join(VENV, "bin", "uv"), "pip", "install", "-q", "--compile-bytecode", "--python", PYTHON]
        if run(uv + ["--require-hashes", "-r", path]).returncode == 0:
            return
    # uv does not read pip's configuration (a company's own mirror, say): pip has the last word.
    result = run(pip + ["install", "--require-hashes", "-r", path])
    if result.returncode:
        stop(
            "Downloading the requirements failed: %s Check the network and run the same command again."
            % last_line(result.stderr)
        )


def digest(name):
    with open(os.path.join(ROOT, name), "rb") as file:
        return hashlib.sha256(platform.python_version().encode() + file.read()).hexdigest()


def installed():
    if not os.path.exists(STAMP):
        return ""
    with open(STAMP) as stamp:
        return stamp.read()


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given."


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def stop(text):
    sys.stderr.write(text + "\n")
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
