"""`jaragua status RUN_DIR`: where a run stands, read from its folder; works beside a coordinator at work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jaragua.cli import output
from jaragua.errors import StoreError

app = typer.Typer()


@app.command()
def status(
    run_dir: Annotated[Path, typer.Argument(help="The folder that `jaragua run` printed.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    curves: Annotated[
        Path | None, typer.Option(help="Draw the devices' learning curves into this .svg, .png or .pdf file.")
    ] = None,
) -> None:
    """Show where a run stands."""
    from jaragua.store import read_run

    if not run_dir.exists():
        raise StoreError(f"there is no folder {run_dir}", "give the folder that `jaragua run` printed")
    summary = read_run(run_dir)
    if curves is not None:
        from jaragua.report.curves import draw

        draw(summary, curves)
    if json:
        output.print_result(summary)
    else:
        _print(summary)


def _print(summary: dict[str, Any]) -> None:
    from jaragua.report import privacy

    last = summary["last_round"]
    devices = ", ".join(f"{device} ({count})" for device, count in summary["updates"].items()) or "none yet"
    output.show(f"{summary['run']}: {summary['status']}, {summary['rounds_done']} of {summary['rounds']} rounds")
    output.show(f"  model              {summary['model']}, strategy {summary['strategy']}, seed {summary['seed']}")
    output.show(f"  devices (updates)  {devices}")
    if last.get("loss") is not None:
        scored = f", {last['metric']} {last['score']:.4f}" if "score" in last else ""
        output.show(f"  last round         loss {last['loss']:.4f}{scored}")
    if evaluated := summary.get("evaluation"):
        output.show(f"  held-out tasks     {_evaluated(evaluated)}")
    if summary["curves"]:
        output.show(f"  device by device   {_first_and_last(summary)}")
    if summary["excluded"]:
        output.show(f"  excluded           {_excluded(summary)}")
    if summary["rejected"]:
        counts = ", ".join(f"{reason} ({count})" for reason, count in summary["rejected"].items())
        output.show(f"  messages rejected  {counts}")
    if private := privacy.in_words(summary.get("privacy", {})):
        output.show(f"  privacy            {private}")
    output.show(f"  broker traffic     {summary['bytes_up']} bytes up, {summary['bytes_down']} bytes down")
    output.show(f"  weights            {summary['model_hash']}")
    if summary["status"] != "finished":
        output.show(f"if it was stopped, go on with: {_again(summary)}")


def _again(summary: dict[str, Any]) -> str:
    """The command that goes on with it."""
    folder = Path(summary["run_dir"])
    if summary.get("kind") == "simulation":
        return f"jaragua simulate {folder / 'config.toml'} --directory {folder}"
    return f"jaragua run {folder / 'config.toml'} --resume"


def _evaluated(found: dict[str, Any]) -> str:
    """What new devices reached in a simulation's evaluation."""
    before, after = (f"{found[when]['mean']:.4f} ± {found[when]['ci95']:.4f}" for when in ("before", "after"))
    return f"{found['tasks']}: {found['metric']} {before} before adapting, {after} after"


def _excluded(summary: dict[str, Any]) -> str:
    """Devices whose updates were excluded (R17): how often, and why in the last round."""
    reasons = summary["last_round"].get("excluded", {})
    return "; ".join(
        f"{device} ({count})" + (f": {reasons[device]}" if device in reasons else "")
        for device, count in summary["excluded"].items()
    )


def _first_and_last(summary: dict[str, Any]) -> str:
    """First and last score of each device."""
    ends = {device: (points[0], points[-1]) for device, points in summary["curves"].items()}
    return ", ".join(f"{device} {first['score']:.3f} → {last['score']:.3f}" for device, (first, last) in ends.items())
