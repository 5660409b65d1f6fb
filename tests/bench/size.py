"""How big it is: the image, and the source in lines of code."""

import collections
import pathlib
import re
import subprocess
import tempfile

from row import BenchError, Row

IMAGE_GOAL = 512 * 1024 - 1  # less than 512 KiB

KINDS = {".c": "c", ".h": "h", ".asm": "asm", ".py": "py"}
PRODUCT = ("boot", "kernel", "mm", "svm", "vmx", "drivers", "ksm")
PRODUCT_KINDS = (".c", ".h", ".asm")

# Literals are kept whole, so that a comment's mark in one is not a comment.
LITERAL = r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'"
C_COMMENT = re.compile(LITERAL + r"|(/\*.*?\*/|//[^\n]*)", re.S)
ASM_COMMENT = re.compile(LITERAL + r"|(;[^\n]*)")
PYTHON_COMMENT = re.compile(r'(""".*?"""|#[^\n]*)|' + LITERAL, re.S)
COMMENTS = {".c": C_COMMENT, ".h": C_COMMENT, ".asm": ASM_COMMENT,
            ".py": PYTHON_COMMENT}


def image_rows(root):
    """basalt.elf without symbols and debug information."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "basalt.elf"
        done = subprocess.run(
            ["strip", "-o", out, root / "build" / "basalt.elf"],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"strip: {done.stderr}")
        yield Row("size_image", "bytes", IMAGE_GOAL, out.stat().st_size)


def code_lines(text, suffix):
    """Lines of @text that hold more than blanks and comments."""
    def keep(match):
        # A comment may lie between two words: it counts as a blank.
        return re.sub(r"[^\n]", " ", match.group()) if match.group(1) \
            else match.group()

    plain = COMMENTS[suffix].sub(keep, text)
    return sum(bool(line.strip()) for line in plain.splitlines())


def folder_of(path):
    """The folder that @path counts for, or None."""
    parts = path.parts[:-1]
    if parts and parts[0] in PRODUCT and path.suffix in PRODUCT_KINDS:
        return "/".join(parts)
    if parts and parts[0] == "tests" and path.suffix in KINDS:
        return "/".join(parts[:2])
    return None


def sources(root):
    """Paths of the source from the root, also those not yet committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root,
        capture_output=True, text=True, check=False)
    if listed.returncode:
        raise BenchError(f"git ls-files: {listed.stderr}")
    return [pathlib.Path(name) for name in listed.stdout.split("\0")
            if name and (root / name).exists()]


def line_rows(root):
    """By folder and kind, then the sums of product and tests."""
    counts = collections.Counter()
    sums = collections.Counter()
    for path in sources(root):
        folder = folder_of(path)
        if folder:
            lines = code_lines((root / path).read_text(), path.suffix)
            counts[folder, KINDS[path.suffix]] += lines
            sums["tests" if folder.startswith("tests") else "product"] += lines
    for (folder, kind), lines in sorted(counts.items()):
        yield Row(f"size_{folder}_{kind}", "lines", None, lines)
    for part, lines in sorted(sums.items()):
        yield Row(f"size_{part}", "lines", None, lines)


def rows(root, _environment):
    """The image, then the source."""
    yield from image_rows(root)
    yield from line_rows(root)
