"""
A panel and a daemon on loopback that behave like Wings, faults included.

Imports nothing of the archiver, so that both ends cannot share one
misunderstanding. What holds here: seed and schedule decide every frame, its time
and the true log; sockets only carry them.

Over real sockets::

    world = World(Settings(seed=7, servers=2, rate=5.0))
    async with serve(world) as panel:
        ...  # panel.url, panel.api_key; then let it go wrong:
        world.drop_sockets("Survival")
        world.crash("Rust Main", exit_code=139)
        world.fail_requests(503, 3, containing="/websocket")
    expected = world.truth("Survival")  # and .runs, .statuses of world.server("Survival")

In virtual time, as fast as it computes::

    session = world.connect(world.server("Survival").uuid, world.panel.url, sink)
    session.receive('{"event":"auth","args":["..."]}')
    world.pass_time(3600)  # the sink got every frame, with its time

``Settings(games=("silent",))`` has servers that print only what ``print_line`` says.
From a shell: ``python -m archiver.simulator --help``. README.md has the facts about
the daemon, and the test that shows each.
"""
