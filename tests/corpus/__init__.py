"""Both tasks on real files, beside the programs that are installed: `make corpus` writes docs/accuracy.md.

    packages.py   source distributions from the package index, unpacked within limits
    report.py     a part's table, between its markers in docs/accuracy.md
    documents.py  the part "documents"

A part is a module with `measure(folder) -> str`: the lines of its table. `folder` keeps the downloads.
"""
