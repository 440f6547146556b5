"""
The block index: which blocks of lines can hold what a query asks for, by Whoosh.

The only room that imports Whoosh; knows ``query``, not ``store``, and no SQL. What
holds here: an answer misses no block, and where files are not as they were written
there is no answer, but an error.
"""
