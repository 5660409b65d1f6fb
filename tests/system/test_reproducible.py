"""The same sources give the same bytes, wherever they are built."""

import shutil
import subprocess

from machine import ROOT

IMAGES = ("basalt.elf", "basalt.efi", "basalt.iso")


def test_two_folders(tmp_path):
    built = []
    for folder in (tmp_path / "a", tmp_path / "longer" / "b"):
        shutil.copytree(ROOT, folder, symlinks=True,
                        ignore=shutil.ignore_patterns("build", ".git"))
        result = subprocess.run(["make", "-j2", "-C", folder], text=True,
                                capture_output=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        built.append({name: (folder / "build" / name).read_bytes()
                      for name in IMAGES})
    assert [name for name in IMAGES if built[0][name] != built[1][name]] == []
