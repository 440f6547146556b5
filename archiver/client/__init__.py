"""
The way to a panel and its nodes: REST through httpx, sockets through websockets.

The only room that imports these two (the simulator has its own end of the
sockets). What holds here: a task that reads a socket reads, timestamps and
queues, and does nothing else.
"""
