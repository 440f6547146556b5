"""
The archive in SQL: SQLite or PostgreSQL, by SQLAlchemy, Alembic and DB-API.

The only room that imports them. What holds here: one transaction holds all that
belongs together, and a committed sequence number never changes.
"""
