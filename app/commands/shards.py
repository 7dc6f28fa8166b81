"""`mer shards`: a corpus packed into tars that a training reads by stream."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from model.training.shard_index import Shard


def shards(
    sources: Annotated[list[Path], typer.Argument(help="Folders of videos and photographs; labels are not needed.")],
    out: Annotated[Path, typer.Option(help="Folder for the shards and their index.")],
    size: Annotated[int, typer.Option(min=1, help="Size of a shard in MB.")] = 256,
    short_side: Annotated[int, typer.Option(min=32, help="Short side that larger frames are scaled to.")] = 256,
    without: Annotated[list[Path] | None, typer.Option(help="A video, or a folder of photos, to leave out.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the shards in OUT.")] = False,
) -> None:
    """Pack footage into shards, for a corpus that is larger than memory and disk.

    Writes OUT/shard-00000.tar … and OUT/index.jsonl. `mer train OUT` reads them by stream. Ctrl+C keeps the finished
    shards, and --resume goes on.
    """
    from model.training.pack import pack
    from model.training.shard_index import NAME, read_index

    def told(shard: Shard, count: int) -> None:
        done = f"{len(shard.videos)} stretches of video, {len(shard.photos)} photos"
        print(f"{shard.name}: {done}; {shard.next[0]} of {count} sources done", file=sys.stderr, flush=True)

    try:
        index = pack(
            sources,
            out,
            shard_bytes=size * 2**20,
            short_side=short_side,
            without=without or (),
            resume=resume,
            told=told,
        )
    except KeyboardInterrupt:
        if (out / NAME).exists():
            finished = len(read_index(out).shards)
            typer.echo(f"mer: stopped with {finished} shards: --resume goes on", err=True)
        raise
    for reason in index.skipped:
        typer.echo(f"note: {reason}", err=True)
    total = sum(shard.bytes for shard in index.shards)
    typer.echo(f"{len(index.shards)} shards, {total / 1e6:.0f} MB, of {index.sources} sources: {out}")
