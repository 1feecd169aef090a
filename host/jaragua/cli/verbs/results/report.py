"""`jaragua report RUN…`: runs and simulations as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import output

app = typer.Typer()


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of runs or simulations, or files of `jaragua simulate --json`; several: compared."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Heading of the page; default: the names of the runs.")] = "",
    nanojoules: Annotated[
        float | None, typer.Option(min=0, help="Measured energy of one instruction of your boards, in nJ.")
    ] = None,
    energy_error: Annotated[float, typer.Option(min=0, help="Error of that measurement, in percent.")] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Write one HTML file about runs and simulations: it opens anywhere, loads nothing and runs no script."""
    from jaragua.report.page.render import render
    from jaragua.report.page.view import Energy, name_of, parts_of
    from jaragua.store.files import write_whole
    from jaragua.store.reading import read_details

    details = [read_details(path) for path in runs]
    energy = None if nanojoules is None else Energy(nanojoules, energy_error)
    heading = title or "Report: " + ", ".join(dict.fromkeys(name_of(one) for one in details))
    page = render(heading, parts_of(details, energy)).encode()
    write_whole(out, page)
    if json:
        output.print_result({"file": str(out), "bytes": len(page), "runs": [one.source for one in details]})
    else:
        output.show(f"{out}: {len(page)} bytes; open it in a browser")
