"""GRUB ISOs for the cases that choose a command line or boot modules.

Kept under build/system by a hash of all that went in, so a repeat is free.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile

CONFIG = """\
set timeout=0
insmod all_video
menuentry basalt {{
	multiboot2 /boot/basalt.elf {cmdline}
{modules}
}}
"""


def build(cache, image, cmdline, modules):
    """The path of an ISO with @image (bytes) and @modules {name: bytes}."""
    lines = "\n".join(f"\tmodule2 /boot/{name} {name}" for name in modules)
    config = CONFIG.format(cmdline=cmdline, modules=lines).encode()
    files = {"boot/grub/grub.cfg": config, "boot/basalt.elf": image}
    files |= {f"boot/{name}": data for name, data in modules.items()}
    path = cache / f"{_digest(files)}.iso"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _make(path, files)
    return path


def _digest(files):
    digest = hashlib.sha256()
    for name, data in files.items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:24]


def _make(path, files):
    """grub-mkrescue beside @path, then a rename: two workers may race."""
    folder = tempfile.mkdtemp(dir=path.parent)
    try:
        for name, data in files.items():
            target = os.path.join(folder, "root", name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(data)
        made = os.path.join(folder, "made.iso")
        result = subprocess.run(
            ["grub-mkrescue", "-o", made, os.path.join(folder, "root")],
            capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(f"grub-mkrescue: {result.stderr}")
        os.replace(made, path)
    finally:
        shutil.rmtree(folder)
