"""Archives of files that are put behind an initial RAM disk."""


def cpio(files):
    """An archive of programs, name -> bytes: Linux
    Documentation/driver-api/early-userspace/buffer-format.rst."""
    entries = [entry(number, name, 0o100755, data)
               for number, (name, data) in enumerate(files.items(), 1)]
    return b"".join(entries) + entry(0, "TRAILER!!!", 0, b"")


def entry(number, name, mode, data):
    head = "070701" + "".join(
        f"{field:08x}" for field in
        (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    return pad(head.encode() + name.encode() + b"\0") + pad(data)


def pad(data):
    return data + bytes(-len(data) % 4)


def extend(path, base, files):
    """Write to @path: the initial RAM disk @base with @files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pad(base.read_bytes()) + cpio(files))
    return path
