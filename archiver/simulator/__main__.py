"""Serve a simulated panel until SIGTERM: ``python -m archiver.simulator``."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import get_args

from archiver.simulator.games import GAMES
from archiver.simulator.serving import serve
from archiver.simulator.settings import Generation, Settings
from archiver.simulator.truth import write_rows
from archiver.simulator.world import World


def read_options(words: list[str]) -> argparse.Namespace:
    """Return the options as parsed; exits with usage and code 2 if they are wrong."""
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m archiver.simulator",
        description="Serve a simulated panel with its nodes on loopback, until SIGTERM. "
        'Prints one line of JSON: {"url": ..., "api_key": ...}.',
        epilog="example: python -m archiver.simulator --servers 20 --rate 50 --port 8000",
    )
    add = parser.add_argument
    add("--servers", type=int, default=default.servers, help="game servers (default: %(default)s)")
    add("--nodes", type=int, default=default.nodes, help="nodes they are on (default: %(default)s)")
    add("--rate", type=float, default=default.rate, help="lines/s of each (default: %(default)s)")
    add("--seed", type=int, default=default.seed, help="decides everything (default: %(default)s)")
    add("--port", type=int, default=0, help="0 takes a free one (default: %(default)s)")
    add("--game", action="append", default=[], choices=GAMES, help="may be repeated, given in turn")
    add("--generation", choices=get_args(Generation), default=default.generation)
    add("--token-life", type=float, default=default.token_life, metavar="SECONDS")
    add(
        "--ticker",
        type=float,
        default=default.ticker,
        metavar="SECONDS",
        help="between two looks at a token",
    )
    add(
        "--stats-interval",
        type=float,
        default=default.stats_interval,
        metavar="SECONDS",
        help="0: none",
    )
    add("--replay-size", type=int, default=default.replay_size, metavar="LINES")
    add("--no-uptime", action="store_true", help="leave uptime out of stats")
    add("--no-limits", action="store_true", help="no limit on tokens and requests")
    add("--deflate", action="store_true", help="compress where the client offers it")
    add(
        "--truth",
        type=Path,
        metavar="FILE",
        help="at the end write each line that was printed, and whether a client could have had it",
    )
    add("--idle", action="store_true", help="running servers that print nothing, only stats")
    return parser.parse_args(words)


def build_settings(options: argparse.Namespace) -> Settings:
    """Return the settings that the options ask for."""
    return Settings(
        seed=options.seed,
        generation=options.generation,
        servers=options.servers,
        nodes=options.nodes,
        games=tuple(options.game),
        rate=0.0 if options.idle else options.rate,
        truth=options.truth is not None,
        stats_interval=options.stats_interval,
        uptime=not options.no_uptime,
        replay_size=options.replay_size,
        deflate=options.deflate,
        token_life=options.token_life,
        ticker=options.ticker,
        token_limit=None if options.no_limits else Settings().token_limit,
        request_limit=10**9 if options.no_limits else None,
    )


async def serve_until_told(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    world = World(build_settings(options))
    async with serve(world, port=options.port) as panel:
        sys.stdout.write(json.dumps({"url": panel.url, "api_key": panel.api_key}) + "\n")
        sys.stdout.flush()
        await told.wait()
    if options.truth is not None:
        with options.truth.open("w", encoding="utf-8") as file:
            for server in world.servers:
                file.writelines(write_rows(world.known_lines(server.uuid)))


def main() -> None:
    """Run the command."""
    asyncio.run(serve_until_told(read_options(sys.argv[1:])))


if __name__ == "__main__":
    main()
