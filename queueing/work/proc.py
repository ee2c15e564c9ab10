"""Small files of /proc, read in one piece. `Path.read_text` takes several times as long, and a start waits for some."""

KILOBYTE = 1024


def memory_of(pid: int | str) -> dict[str, int]:
    """Bytes by name (VmData, VmRSS, RssAnon, RssShmem) as in proc_pid_status(5); empty for a process that has ended."""
    return bytes_by_name(f"/proc/{pid}/status", ("VmData:", "VmRSS:", "RssAnon:", "RssShmem:"))


def bytes_by_name(path: str, names: tuple[str, ...]) -> dict[str, int]:
    """The sizes of these names in a file; empty if it cannot be read."""
    try:
        text = read(path)
    except OSError:
        return {}
    lines = (line.split() for line in text.splitlines() if line.startswith(names))
    return {name.removesuffix(":"): int(number) * KILOBYTE for name, number, *_ in lines}


def read(path: str) -> str:
    """The whole file. Raises OSError. The name of a process, which is in some, may be any bytes."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # without a Path
        return file.readall().decode(errors="replace")
