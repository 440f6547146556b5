"""
How fast ingest is, from socket to committed row, against a simulator in another process.

    python benchmarks/ingest.py [--seconds 10] [SCENARIO ...]

Prints for each scenario: connections, lines committed, lines a second of wall time
and of this process's CPU time (one core's worth), peak memory, and how late the
event loop was (99th percentile). Compare ratios of one run: machines differ.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from archiver.config.secret import Secret
from archiver.config.settings import PanelSettings, Settings
from archiver.operations.ingest import Ingest, tune_interpreter

LAG_INTERVAL = 0.02  # seconds between two looks at the event loop


class Scenario(NamedTuple):
    """One row of the table."""

    name: str
    servers: int
    rate: float  # lines a second of each server
    deflate: bool
    warm_up: float  # seconds until all are connected
    settle: float = 2  # seconds until their first replays are joined: a panel lets in four a second


SCENARIOS = (
    Scenario("1 busy console", 1, 15_000, deflate=False, warm_up=4),
    Scenario("1 busy console, deflate", 1, 15_000, deflate=True, warm_up=4),
    Scenario("100 consoles", 100, 200, deflate=False, warm_up=10, settle=45),
    Scenario("100 consoles, deflate", 100, 100, deflate=True, warm_up=10, settle=45),
    Scenario("2,000 quiet consoles", 2_000, 0.2, deflate=False, warm_up=240),
)


async def measure_lag(lags: list[float]) -> None:
    """Note how late the event loop wakes a task, until cancelled."""
    while True:
        due = time.monotonic() + LAG_INTERVAL
        await asyncio.sleep(LAG_INTERVAL)
        lags.append(time.monotonic() - due)


async def measure(scenario: Scenario, seconds: float, simulator: dict[str, str]) -> None:
    """Run ingest for a while and print one row."""
    tune_interpreter()
    with tempfile.TemporaryDirectory() as directory:
        # As at every start but the first, which also needs Alembic's memory.
        upgrade = [sys.executable, "-m", "archiver", "--data-dir", directory, "db", "upgrade"]
        subprocess.run(upgrade, check=True, capture_output=True)  # noqa: ASYNC221, S603  # our own, before anything runs
        key = Secret(simulator["api_key"])
        panel = PanelSettings(
            name="simulator", url=simulator["url"], origin=simulator["url"], api_keys=(key,)
        )
        ingest = Ingest(
            Settings(
                data_dir=Path(directory),
                database_url=f"sqlite:///{directory}/archive.db",
                compression=scenario.deflate,
                panels=(panel,),
            )
        )
        lags: list[float] = []
        async with asyncio.TaskGroup() as group:
            running = group.create_task(ingest.run())
            patience = time.monotonic() + scenario.warm_up
            while (  # noqa: ASYNC110  # a look from outside, as a person would
                ingest.progress().live < scenario.servers and time.monotonic() < patience
            ):
                await asyncio.sleep(0.2)
            await asyncio.sleep(scenario.settle)
            live = ingest.progress().live
            lag = group.create_task(measure_lag(lags))
            lines, wall, cpu = ingest.progress().lines, time.monotonic(), time.process_time()
            await asyncio.sleep(seconds)
            lines = ingest.progress().lines - lines
            wall, cpu = time.monotonic() - wall, time.process_time() - cpu
            progress = ingest.progress()
            lag.cancel()
            ingest.stop()
            await running
    late = sorted(lags)[int(len(lags) * 0.99)] * 1000
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{scenario.name:26} {live:6} {lines:9} {lines / wall:9.0f} {lines / cpu:9.0f}"
        f" {memory:7.0f} {late:7.1f} {progress.dropped:8} {progress.gaps:5}",
        flush=True,
    )


def run_scenario(scenario: Scenario, seconds: float) -> None:
    """Start the simulator, measure, end it."""
    command = [sys.executable, "-m", "archiver.simulator", "--servers", str(scenario.servers)]
    command += ["--rate", str(scenario.rate), "--seed", "7"]
    if scenario.deflate:
        command.append("--deflate")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulator:  # noqa: S603  # our own
        assert simulator.stdout is not None
        try:
            asyncio.run(measure(scenario, seconds, json.loads(simulator.stdout.readline())))
        finally:
            simulator.terminate()


def main() -> None:
    """Run the scenarios named, or all, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    chosen = [s for s in SCENARIOS if not options.names or s.name in options.names]
    if options.alone:
        for scenario in chosen:
            run_scenario(scenario, options.seconds)
        return
    print(
        f"{'':26} {'live':>6} {'lines':>9} {'lines/s':>9} {'per core':>9}"
        f" {'MB':>7} {'p99 ms':>7} {'dropped':>8} {'gaps':>5}",
        flush=True,
    )
    for scenario in chosen:
        command = [sys.executable, __file__, "--alone", "--seconds", str(options.seconds)]
        subprocess.run([*command, scenario.name], check=True)  # noqa: S603  # ourselves


if __name__ == "__main__":
    main()
