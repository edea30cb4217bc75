"""What building and running bare-metal images takes, for the scripts that do."""

import os
import pathlib
import subprocess
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / ".ci"
TARGET = "thumbv7em-none-eabihf"


class CannotSetUp(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


def set_up_target():
    """Returns the environment that a build for the target needs; what is missing is installed."""
    environment = dict(os.environ)
    target = subprocess.run([SCRIPTS / "thumb_target", TARGET], stdout=subprocess.PIPE, text=True)
    if target.returncode != 0:
        raise CannotSetUp(f"Rust's core library for {TARGET}")
    environment.update(line.split("=", 1) for line in target.stdout.splitlines())
    return environment


def set_up():
    """The same for what is run as well."""
    environment = set_up_target()
    if subprocess.run([SCRIPTS / "qemu_arm"], stdout=sys.stderr).returncode != 0:
        raise CannotSetUp("qemu-system-arm")
    return environment
