"""What the checkers share: the source files of the house, and doc/layers.txt.

A checker prints one line per violation, "path:line: what is wrong", and exits with 1 if there was one."""

import fnmatch
import os
import re
import sys


class Violations:
    """Collects what is wrong; finish() prints it and gives the exit status."""

    def __init__(self):
        self.lines = []

    def add(self, place, text):
        self.lines.append(f"{place}: {text}")

    def finish(self, checker):
        for line in self.lines:
            print(line)
        if self.lines:
            print(f"{checker}: {len(self.lines)} violation{'s' if len(self.lines) > 1 else ''}", file=sys.stderr)
        return 1 if self.lines else 0


def files(root, *endings):
    """Paths below root (relative, sorted) with one of the endings, without build directories and hidden ones."""
    endings = endings or ("",)
    found = []
    for folder, folders, names in os.walk(root):
        inside = os.path.relpath(folder, root)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in ("__pycache__", "node_modules")
                            and not (inside == "." and (name.startswith("build") or name == "data")))
        for name in sorted(names):
            if name.endswith(endings):
                found.append(os.path.normpath(os.path.join(inside, name)))
    return found


class Layer:
    """One line of doc/layers.txt."""

    def __init__(self, folder, line):
        self.folder = folder
        self.line = line            # number in the file, for messages
        self.doors = set()          # names of headers; "*" = all
        self.doors_of = set()       # folders of which this one may include the doors
        self.headers = set()        # single doors, as paths
        self.inside_of = set()      # folders of which this one may include every header
        self.libraries = []         # patterns of headers in angle brackets
        self.system = False         # may include system headers and call the system

    def is_door(self, header):
        """Whether a header of this folder (its bare name) is a door of it."""
        own = os.path.basename(self.folder) + ".h"
        return header == own or "*" in self.doors or header in self.doors

    def may_include_library(self, name):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.libraries)


def read_layers(root, violations):
    """Reads doc/layers.txt: folder -> Layer, from the ground up. Adds what is wrong with the file itself."""
    path = os.path.join(root, "doc", "layers.txt")
    lines = []  # (number, text), continuations joined
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            if not text.strip() or text.startswith("#"):
                continue
            if text[0] in " \t" and lines:
                lines[-1] = (lines[-1][0], lines[-1][1] + " " + text.strip())
            else:
                lines.append((number, text.strip()))
    layers = {}
    for number, text in lines:
        place = f"doc/layers.txt:{number}"
        columns = [column.strip() for column in text.split("|")]
        if len(columns) != 3:
            violations.add(place, f"wants three columns (folder | doors | may include), has {len(columns)}")
            continue
        layer = Layer(columns[0], number)
        if layer.folder in layers:
            violations.add(place, f"{layer.folder} has a line already, {layers[layer.folder].line}")
            continue
        layer.doors.update(columns[1].split())
        _read_includes(layer, columns[2].split(), layers, place, violations)
        layers[layer.folder] = layer
    return layers


def _read_includes(layer, words, layers, place, violations):
    inside = False
    for word in words:
        bracketed = re.fullmatch(r"<(.+)>", word)
        if word == "**":
            inside = True
        elif word == "<system>":
            layer.system = True
        elif bracketed:
            layer.libraries.append(bracketed.group(1))
        elif word in layers:
            (layer.inside_of if inside else layer.doors_of).add(word)
        elif os.path.dirname(word) in layers and word.endswith(".h"):
            folder, header = os.path.split(word)
            if not layers[folder].is_door(header):
                violations.add(place, f"{layer.folder} wants {word}, which is no door of {folder}")
            layer.headers.add(word)
        else:
            violations.add(place, f"{layer.folder} wants {word}, which is not listed above it")
