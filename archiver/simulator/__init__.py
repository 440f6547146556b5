"""
A panel and a daemon on loopback that behave like Wings, faults included.

Imports nothing of the archiver, so that both ends cannot share one
misunderstanding. What holds here: seed and schedule decide every frame, its time
and the true log; sockets only carry them.
"""
